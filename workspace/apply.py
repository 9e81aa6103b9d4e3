"""Makes the database say what a checked document says, and tells what that changed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import secrets
from core.errors import Invalid
from core.ids import new_id
from crm.workspace import WorkspaceSettings
from models.source import Channel, Source
from models.user import Team, TeamMember, User
from models.workspace import Calendar, NamedList, Template, Territory, WorkspaceRow
from rules import ruleset, trial
from rules.expectation import RuleTest
from workspace import crm_apply
from workspace.change import Change
from workspace.check import Checked, refusal
from workspace.document import Path
from workspace.schema import TeamEntry, UserEntry

_Document = type[Calendar | NamedList | Template | Territory]
_DOCUMENTS: tuple[tuple[str, _Document], ...] = (
    ("calendars", Calendar),
    ("lists", NamedList),
    ("templates", Template),
    ("territories", Territory),
)
CHANNELS = {
    "forms": Channel.FORM,
    "mailboxes": Channel.EMAIL,
    "lines": Channel.CALL,
    "hooks": Channel.WEBHOOK,
    "sources": Channel.OWN,
}


class DryRun(Exception):
    """Raised by the caller at the end of a transaction whose changes are not wanted."""


def apply(session: Session, checked: Checked, *, by: str, why: str = "") -> list[Change]:
    """Applies the document; applying it again changes nothing. `why` is kept with a new version of the rules.

    Users, teams and ways in that an earlier file named and this one leaves out are switched off, never
    deleted: leads refer to them. Calendars and templates are removed.
    """
    row = session.get(WorkspaceRow, 1, with_for_update=True)
    if row is None:
        row = WorkspaceRow(id=1, version=0, settings={}, environment=secrets.sealed_environment({}))
        session.add(row)
        session.flush()
    changes: list[Change] = []
    stored = checked.stored
    if checked.file.workspace is not None:
        changes += _settings(row, checked.file.workspace, stored["workspace"])
    changes += _environment(row, checked.environment)
    if checked.file.users is not None:
        changes += _users(session, checked.file.users)
    if checked.file.teams is not None:
        changes += _teams(session, checked.file.teams)
    for part, table in _DOCUMENTS:
        if stored.get(part) is not None:
            changes += _documents(session, table, part, stored[part])
    for part, channel in CHANNELS.items():
        if stored.get(part) is not None:
            changes += _sources(session, part, channel, stored[part])
    if stored.get("sla") is not None and row.sla != stored["sla"]:
        changes.append(Change("change" if row.sla else "add", f"sla ({len(stored['sla'])} policies)"))
        row.sla = list(stored["sla"])
    if stored.get("sms") is not None and (differing := _differing(row.sms, stored["sms"])):
        changes.append(Change("change" if row.sms else "add", "sms", differing if row.sms else ()))
        row.sms = dict(stored["sms"])
    changes += crm_apply.apply(session, row, checked.file, stored)
    if stored.get("webhooks") is not None:
        changes += _webhooks(row, stored["webhooks"])
    if stored.get("rules") is not None:
        changes += _rules(session, row, stored, by, why)
    if changes:
        row.version += 1
        row.stamp = new_id()
    session.flush()
    if stored.get("rules") is not None:
        _try_rules(session, checked)
    return changes


def tests_of(stored: Mapping[str, Any]) -> list[tuple[Path, RuleTest]]:
    """The tests of a document, those of its rules and its own, with the place of each."""
    own = [(("tests", place), test) for place, test in enumerate(stored.get("tests") or ())]
    carried = [
        (("rules", number, "tests", place), test)
        for number, rule in enumerate(stored.get("rules") or ())
        for place, test in enumerate(rule.get("tests", ()))
    ]
    return [(path, RuleTest.model_validate(test)) for path, test in [*carried, *own]]


def _try_rules(session: Session, checked: Checked) -> None:
    """Raises Invalid where a test of the rules comes out otherwise: then nothing counts."""
    mistakes = [
        (path, f"the test '{test.name}' came out otherwise: {words}")
        for path, test in tests_of(checked.stored)
        for words in trial.differences(session, test)
    ]
    if mistakes:
        raise refusal(checked.document, mistakes)


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    after = secrets.unsealed(dict(after))
    with contextlib.suppress(Invalid):  # sealed with a key that is gone: what is written now takes its place
        before = secrets.unsealed(dict(before))
    return tuple(sorted(k for k in {*before, *after} if before.get(k) != after.get(k)))


def _settings(row: WorkspaceRow, wanted: WorkspaceSettings, written: dict[str, Any]) -> list[Change]:
    differing = _differing(row.settings, wanted.model_dump(mode="json"))
    if not differing:
        return []
    action = "change" if row.settings else "add"
    row.settings = wanted.model_dump(mode="json")
    return [Change(action, "workspace", differing if action == "change" else tuple(written))]


def _environment(row: WorkspaceRow, values: Mapping[str, str]) -> list[Change]:
    standing = secrets.opened_environment(row.environment)
    wanted = {**standing, **values}
    differing = _differing(standing, wanted)
    if differing:
        row.environment = secrets.sealed_environment(wanted)
    return [Change("change", "values from the environment", differing)] if differing else []


def _users(session: Session, wanted: Sequence[UserEntry]) -> list[Change]:
    standing = {u.email: u for u in session.scalars(select(User))}
    changes = []
    for entry in wanted:
        values = entry.model_dump(mode="python", exclude={"email", "absences"}) | {"from_file": True}
        values["absences"] = [a.model_dump(mode="json", by_alias=True) for a in entry.absences]
        values["name"] = entry.name or entry.email.partition("@")[0]
        user = standing.get(entry.email)
        if user is None:
            session.add(User(email=entry.email, session_epoch=0, **values))
            changes.append(Change("add", f"user {entry.email}"))
        elif differing := tuple(k for k, v in values.items() if getattr(user, k) != v):
            for key in differing:
                setattr(user, key, values[key])
            changes.append(Change("change", f"user {entry.email}", differing))
    left = {e.email for e in wanted}
    for user in standing.values():
        if user.from_file and user.active and user.email not in left:
            user.active = False
            user.session_epoch += 1
            changes.append(Change("remove", f"user {user.email}"))
    session.flush()
    return changes


def _teams(session: Session, wanted: Sequence[TeamEntry]) -> list[Change]:
    users = {u.email: u.id for u in session.scalars(select(User))}
    standing = {t.key: t for t in session.scalars(select(Team))}
    changes = []
    for entry in wanted:
        members = [users[m.lower()] for m in dict.fromkeys(entry.members)]
        leader = users[entry.lead.lower()] if entry.lead else next(iter(members), None)
        values = {
            "name": entry.name or entry.key,
            "lead_id": leader,
            "calendar": entry.calendar,
            "active": True,
        }
        team = standing.get(entry.key)
        if team is None:
            team = Team(key=entry.key, **values)
            session.add(team)
            session.flush()
            changes.append(Change("add", f"team {entry.key}"))
            _set_members(session, team, members)
            continue
        differing = [k for k, v in values.items() if getattr(team, k) != v]
        for key in differing:
            setattr(team, key, values[key])
        if _members(session, team) != members:
            _set_members(session, team, members)
            differing.append("members")
        if differing:
            changes.append(Change("change", f"team {entry.key}", tuple(differing)))
    for key, team in standing.items():
        if team.active and key not in {e.key for e in wanted}:
            team.active = False
            changes.append(Change("remove", f"team {key}"))
    return changes


def _members(session: Session, team: Team) -> list[int]:
    chosen = select(TeamMember.user_id).where(TeamMember.team_id == team.id).order_by(TeamMember.position)
    return list(session.scalars(chosen))


def _set_members(session: Session, team: Team, members: Sequence[int]) -> None:
    session.execute(delete(TeamMember).where(TeamMember.team_id == team.id))
    session.add_all(TeamMember(team_id=team.id, user_id=m, position=place) for place, m in enumerate(members))
    session.flush()


def _documents(
    session: Session, table: _Document, part: str, wanted: Sequence[dict[str, Any]]
) -> list[Change]:
    one = "territory" if part == "territories" else part.removesuffix("s")
    found: Sequence[Any] = session.scalars(select(table)).all()
    standing = {document.key: document for document in found}
    changes = []
    for settings in wanted:
        key = settings["key"]
        document = standing.get(key)
        if document is None:
            session.add(table(key=key, settings=settings))
            changes.append(Change("add", f"{one} {key}"))
        elif differing := _differing(document.settings, settings):
            document.settings = settings
            changes.append(Change("change", f"{one} {key}", differing))
    for key in standing.keys() - {s["key"] for s in wanted}:
        session.delete(standing[key])
        changes.append(Change("remove", f"{one} {key}"))
    return changes


def _sources(session: Session, part: str, channel: Channel, wanted: Sequence[dict[str, Any]]) -> list[Change]:
    one = "mailbox" if part == "mailboxes" else part.removesuffix("s")
    standing = {s.key: s for s in session.scalars(select(Source).where(Source.channel == channel))}
    changes = []
    for settings in wanted:
        key = settings["key"]
        name = settings.get("name") or key
        source = standing.get(key)
        if source is None:
            session.add(Source(channel=channel, key=key, name=name, settings=settings, active=True))
            changes.append(Change("add", f"{one} {key}"))
        elif (differing := _differing(source.settings, settings)) or not source.active:
            source.name, source.settings, source.active = name, settings, True
            changes.append(Change("change", f"{one} {key}", differing or ("active",)))
    for key, source in standing.items():
        if source.active and key not in {s["key"] for s in wanted}:
            source.active = False
            changes.append(Change("remove", f"{one} {key}"))
    return changes


def _webhooks(row: WorkspaceRow, wanted: Sequence[dict[str, Any]]) -> list[Change]:
    standing = {e["key"]: e for e in row.webhooks}
    changes = []
    for endpoint in wanted:
        before = standing.pop(endpoint["key"], None)
        if before is None:
            changes.append(Change("add", f"webhook {endpoint['key']}"))
        elif differing := _differing(before, endpoint):
            changes.append(Change("change", f"webhook {endpoint['key']}", differing))
    changes += [Change("remove", f"webhook {key}") for key in standing]
    if changes:
        row.webhooks = [dict(endpoint) for endpoint in wanted]
    return changes


def _rules(session: Session, row: WorkspaceRow, stored: Mapping[str, Any], by: str, why: str) -> list[Change]:
    before, wanted = row.ruleset_version_id, stored["rules"]
    version = ruleset.publish(session, wanted, by=by, tests=stored.get("tests") or (), why=why)
    if version.id == before:
        return []
    return [Change("change" if before else "add", f"rules (version {version.id}, {len(wanted)} rules)")]
