"""One form declared by hand, with everything else in the workspace left as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import NotFound
from models.source import Channel, Source
from models.workspace import WorkspaceRow
from workspace import from_afar
from workspace.apply import apply
from workspace.check import check
from workspace.document import Document


def forms(session: Session) -> list[dict[str, Any]]:
    """All active forms as they are declared; secrets stay sealed."""
    chosen = select(Source).where(Source.channel == Channel.FORM, Source.active).order_by(Source.id)
    return [dict(s.settings) for s in session.scalars(chosen)]


def form(session: Session, key: str) -> dict[str, Any]:
    """One active form as it is declared. Raises NotFound."""
    found = next((f for f in forms(session) if f["key"] == key), None)
    if found is None:
        raise NotFound("there is no such form")
    return found


def declare(session: Session, key: str, settings: Mapping[str, Any], *, by: str) -> bool:
    """Makes the form of this key what the settings say; says whether it is new.

    Raises Invalid for settings that make no sense, with the place of each mistake, and for a reference to a
    value of the environment that does not stand there already.
    """
    standing = _held(session)
    from_afar.check_references(session, settings)
    wanted = {"key": key, **{k: v for k, v in settings.items() if k != "key"}}
    others = [wanted if s["key"] == key else s for s in standing]
    new = all(s["key"] != key for s in standing)
    _apply(session, [*others, wanted] if new else others, by)
    return new


def withdraw(session: Session, key: str, *, by: str) -> None:
    """Switches the form off; leads go on referring to it. Raises NotFound."""
    standing = _held(session)
    left = [s for s in standing if s["key"] != key]
    if len(left) == len(standing):
        raise NotFound("there is no such form")
    _apply(session, left, by)


def _held(session: Session) -> list[dict[str, Any]]:
    # Of two who declare a form at once the second waits here, and sees what the first wrote.
    session.get(WorkspaceRow, 1, with_for_update=True)
    return forms(session)


def _apply(session: Session, wanted: list[dict[str, Any]], by: str) -> None:
    apply(session, check(session, Document(values={"forms": wanted})), by=by)
