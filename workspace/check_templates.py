"""Finds what is wrong in a workspace's templates, also in those that no rule uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from core.errors import Invalid
from models.rule import RulesetVersion
from models.workspace import WorkspaceRow
from rules import letter
from rules.vocabulary import ANYTHING
from workspace.document import Path
from workspace.schema import WorkspaceFile


def mistakes(session: Session, file: WorkspaceFile) -> Iterator[tuple[Path, str]]:
    """What templates name; a rule that uses one also asks whether its trigger has it."""
    rules: Any = file.rules
    if rules is None and (row := session.get(WorkspaceRow, 1)) and row.ruleset_version_id is not None:
        rules = session.get_one(RulesetVersion, row.ruleset_version_id).rules
    variables = {**letter.VARIABLES, **dict.fromkeys(_loops(rules), ANYTHING)}
    for place, entry in enumerate(file.templates or ()):
        try:
            letter.check(entry, variables)
        except Invalid as error:
            yield ("templates", place, "key"), str(error)


def _loops(rules: Any) -> Iterator[str]:
    """The names that loops anywhere in the rules give to their items."""
    if isinstance(rules, dict):
        loop = rules.get("for_each")
        if isinstance(loop, dict) and isinstance(loop.get("as"), str):
            yield loop["as"]
        rules = list(rules.values())
    if isinstance(rules, list):
        for inner in rules:
            yield from _loops(inner)
