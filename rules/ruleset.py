"""Published sets of rules: made once, never changed, and kept ready for use by their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session, load_only

from core import clock
from core.ids import keyed
from models.rule import RulesetVersion
from models.workspace import WorkspaceRow
from rules.matching import Matcher
from rules.schema import Rule, by_trigger, read

#: What is asked of a version before it is known whether its rules have to be read.
WHICH = load_only(RulesetVersion.content_hash)
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
    row = session.get(WorkspaceRow, 1)
    return version(session, row.ruleset_version_id) if row is not None and row.ruleset_version_id else None


def version(session: Session, number: int) -> Ruleset:
    """The set that was published under this number, in force or not; read once in the life of a process."""
    row = session.get_one(RulesetVersion, number, options=(WHICH,))
    key = (number, row.content_hash)  # what has this hash never changes
    if key not in _kept:
        rules, _ = read(row.rules)
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
    session.flush()
    return made
