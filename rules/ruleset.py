"""Published sets of rules: made once, never changed, and kept ready for use by their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.ids import keyed
from models.rule import RulesetVersion
from models.workspace import WorkspaceRow
from rules.matching import Matcher
from rules.schema import Rule, by_trigger, read

_MOST_KEPT = 16
_kept: dict[tuple[int, str], Ruleset] = {}


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A version, ready for use: its number, its active rules by trigger, and all of them by name."""

    version: int
    rules: Mapping[str, tuple[Rule, ...]]
    named: Mapping[str, Rule]
    matchers: Mapping[str, Matcher[Rule]]


def active(session: Session) -> Ruleset | None:
    """The set in force; None before any was published."""
    found = session.execute(
        select(RulesetVersion.id, RulesetVersion.content_hash).join(
            WorkspaceRow, WorkspaceRow.ruleset_version_id == RulesetVersion.id
        )
    ).first()
    return None if found is None else _ready(session, found.id, found.content_hash)


def version(session: Session, number: int) -> Ruleset:
    """The set that was published under this number, in force or not."""
    content_hash = session.scalars(
        select(RulesetVersion.content_hash).where(RulesetVersion.id == number)
    ).one()
    return _ready(session, number, content_hash)


def _ready(session: Session, number: int, content_hash: str) -> Ruleset:
    """A version, read once in the life of a process: what has this hash never changes."""
    key = (number, content_hash)
    if key not in _kept:
        rules, _ = read(session.get_one(RulesetVersion, number).rules)
        while len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        groups = by_trigger(rules)
        matchers = {trigger: Matcher(group) for trigger, group in groups.items()}
        _kept[key] = Ruleset(number, groups, {rule.name: rule for rule in rules}, matchers)
    return _kept[key]


def publish(
    session: Session, rules: Sequence[Any], *, by: str, tests: Sequence[Any] = (), why: str = ""
) -> RulesetVersion:
    """Makes these rules the ones in force; a new version only where they differ from the present one."""
    workspace = session.get_one(WorkspaceRow, 1)
    content_hash = keyed([list(rules), list(tests)] if tests else list(rules))
    present = (
        session.get(RulesetVersion, workspace.ruleset_version_id) if workspace.ruleset_version_id else None
    )
    if present is not None and present.content_hash == content_hash:
        return present
    made = RulesetVersion(
        rules=list(rules),
        tests=list(tests),
        content_hash=content_hash,
        published_at=clock.now(),
        published_by=by,
        why=why,
    )
    session.add(made)
    session.flush()
    workspace.ruleset_version_id = made.id
    return made
