"""Some parts of the workspace set by hand, with everything else in it left as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from models.workspace import WorkspaceRow
from workspace import from_afar
from workspace.apply import apply
from workspace.change import Change
from workspace.check import check
from workspace.document import Document
from workspace.export import export

#: Parts of which single words can be set; the others are lists, and set as a whole.
BY_WORD = ("workspace", "numbers")


def version(session: Session, *, lock: bool = False) -> int:
    """How often the workspace was changed; 0 before anything was applied."""
    row = session.get(WorkspaceRow, 1, with_for_update=lock, populate_existing=lock)
    return row.version if row else 0


def amend(session: Session, parts: Mapping[str, Any], *, by: str) -> list[Change]:
    """Makes these parts what they say; None takes a word back to what it is without being said.

    Raises Invalid for parts that make no sense, with the place of each mistake, and for a reference to a
    value of the environment that does not stand there already.
    """
    session.get(WorkspaceRow, 1, with_for_update=True)
    from_afar.check_references(session, parts)
    standing = export(session)
    wanted = dict(parts)
    for part in BY_WORD:
        given = wanted.get(part)
        if isinstance(given, Mapping):
            whole = {**standing.get(part, {}), **given}
            wanted[part] = {word: value for word, value in whole.items() if value is not None}
    return apply(session, check(session, Document(values=wanted)), by=by)
