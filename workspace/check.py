"""Finds every mistake in a workspace document, with its file, line and the offending value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import secrets
from core.errors import Invalid
from models.source import Channel, Source
from models.user import Team, User
from models.workspace import Calendar, NamedList, Template, Territory, WorkspaceRow
from rules.circles import circles
from rules.condition import Condition
from rules.schema import read as read_rules
from rules.schema import said
from rules.step import Known
from rules.vocabulary import OF_LEAD, References, nearest
from workspace import check_addresses, check_templates, crm_check
from workspace.document import Document, Path
from workspace.schema import WorkspaceFile
from workspace.sealing import sealed
from workspace.twins import twins

_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Checked:
    """A document without mistakes: its values as written, with secrets sealed, and as understood."""

    stored: Mapping[str, Any]
    file: WorkspaceFile
    environment: Mapping[str, str]
    document: Document


#: The parts that name where leads come from.
CHANNEL_PARTS = ("forms", "mailboxes", "lines", "hooks", "sources")
#: Settings whose values are never shown.
_SECRETS = ("password", "auth_token", "secret", "client_secret", "refresh_token")


def check(session: Session, document: Document) -> Checked:
    """Raises Invalid with a line for each mistake."""
    mistakes: list[tuple[Path, str]] = []
    environment, values = _resolved(session, document, mistakes)
    file = None
    if not mistakes:
        try:
            file = WorkspaceFile.model_validate(values)
        except ValidationError as error:
            mistakes += _of_pydantic(error, values)
    if file is not None:
        mistakes += twins(values)
        mistakes += _references(session, file)
        mistakes += crm_check.references(session, file)
        mistakes += _policies(session, file)
        mistakes += check_addresses.mistakes(file)
        mistakes += check_templates.mistakes(session, file)
        mistakes += _rules(session, file)
    if mistakes or file is None:
        raise refusal(document, mistakes)
    stored = sealed(document.values, file)
    return Checked(stored, file, environment, document)


def refusal(document: Document, mistakes: Iterable[tuple[Path, str]]) -> Invalid:
    """The error with a line for each mistake: file, line, place and value."""
    return Invalid("\n".join(_line(document, path, words) for path, words in mistakes))


def _resolved(
    session: Session, document: Document, mistakes: list[tuple[Path, str]]
) -> tuple[dict[str, str], dict[str, Any]]:
    row = session.get(WorkspaceRow, 1)
    kept = secrets.opened_environment(row.environment) if row else {}
    environment = {}
    for name in sorted(secrets.references(document.values)):
        value = secrets.environ(name) or kept.get(name)
        if value is None:
            mistakes += [
                (path, f"${{{name}}} is not set in the environment") for path in _using(document.values, name)
            ]
        else:
            environment[name] = value
    if mistakes:
        return environment, {}
    return environment, secrets.opened(document.values, environment)


def _using(values: Any, name: str, path: Path = ()) -> Iterator[Path]:
    if isinstance(values, str) and f"${{{name}}}" in values:
        yield path
    elif isinstance(values, dict):
        for key, value in values.items():
            yield from _using(value, name, (*path, key))
    elif isinstance(values, list):
        for place, value in enumerate(values):
            yield from _using(value, name, (*path, place))


def _of_pydantic(error: ValidationError, values: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    for found in error.errors():
        path = _real(found["loc"], values)
        if found["type"] == "extra_forbidden":
            around: Any = WorkspaceFile.model_fields if len(path) == 1 else ()
            yield path, f"'{path[-1]}' is not known here{nearest(str(path[-1]), around)}"
        else:
            yield path, f"{said(found['msg'])}"


def _real(location: Sequence[str | int], values: Any) -> Path:
    """Pydantic's location without the words it adds for the members of a union."""
    path: list[str | int] = []
    for place, step in enumerate(location):
        inside = (isinstance(values, dict) and step in values) or (
            isinstance(values, list) and isinstance(step, int)
        )
        if inside:
            values = values[step]
            path.append(step)
        elif place == len(location) - 1:
            path.append(step)
    return tuple(path)


def _references(session: Session, file: WorkspaceFile) -> Iterator[tuple[Path, str]]:
    users = _users(session, file)
    for place, team in enumerate(file.teams or ()):
        for number, member in enumerate(team.members):
            if member.lower() not in users:
                yield (
                    ("teams", place, "members", number),
                    f"there is no user '{member}'{nearest(member, users)}",
                )
        if team.lead is not None and team.lead.lower() not in users:
            yield ("teams", place, "lead"), f"there is no user '{team.lead}'{nearest(team.lead, users)}"
    calendars = _calendars(session, file)
    for part in ("sla", "users", "teams"):
        for place, entry in enumerate(getattr(file, part) or ()):
            if entry.calendar is not None and entry.calendar not in calendars:
                words = f"there is no calendar '{entry.calendar}'{nearest(entry.calendar, calendars)}"
                yield (part, place, "calendar"), words
    teams = _teams(session, file)
    for place, territory in enumerate(file.territories or ()):
        holders: list[tuple[Path, str]] = [(("table", k), to) for k, to in territory.table.items()]
        holders += [(("default",), territory.default)] if territory.default else []
        for path, to in holders:
            if to.lower() not in users and to not in teams:
                yield (
                    ("territories", place, *path),
                    f"there is no user or team '{to}'{nearest(to, [*users, *teams])}",
                )
    catch_all = file.workspace.catch_all if file.workspace else None
    if catch_all is not None and catch_all.lower() not in users and catch_all not in teams:
        hint = nearest(catch_all, [*users, *teams])
        yield ("workspace", "catch_all"), f"there is no user or team '{catch_all}'{hint}"
    for part in ("forms", "mailboxes", "lines"):
        for place, source in enumerate(getattr(file, part) or ()):
            connect = getattr(source, "connect", None)
            for path, named in (("team",), source.team), (("connect", "team"), connect and connect.team):
                if named is not None and named not in teams:
                    yield (part, place, *path), f"there is no team '{named}'{nearest(named, teams)}"


def _policies(session: Session, file: WorkspaceFile) -> Iterator[tuple[Path, str]]:
    """What the conditions of policies name; what they mean is checked with their settings."""
    known = References(
        _lists(session, file),
        frozenset(_calendars(session, file)),
        _sources(session, file),
        crm_check.words(session, file),
    )
    for place, policy in enumerate(file.sla or ()):
        for name in ("when", "pause_when"):
            text = getattr(policy, name)
            try:
                if text is not None:
                    Condition(text, OF_LEAD, known)
            except Invalid as error:
                yield ("sla", place, name), str(error)


def _calendars(session: Session, file: WorkspaceFile) -> set[str]:
    if file.calendars is not None:
        return {c.key for c in file.calendars}
    return set(session.scalars(select(Calendar.key)))


def _rules(session: Session, file: WorkspaceFile) -> Iterator[tuple[Path, str]]:
    if file.rules is None:
        return
    known = Known(
        users=frozenset(_users(session, file)),
        teams=frozenset(_teams(session, file)),
        calendars=frozenset(_calendars(session, file)),
        territories=frozenset(
            [t.key for t in file.territories]
            if file.territories is not None
            else session.scalars(select(Territory.key))
        ),
        templates={t.key: t.model_dump() for t in file.templates}
        if file.templates is not None
        else {t.key: t.settings for t in session.scalars(select(Template))},
        variables={},
        lists=_lists(session, file),
        sources=_sources(session, file),
        mailboxes=frozenset(
            [m.key for m in file.mailboxes]
            if file.mailboxes is not None
            else session.scalars(select(Source.key).where(Source.channel == Channel.EMAIL, Source.active))
        ),
        words=crm_check.words(session, file),
        sms=file.sms is not None or bool((row := session.get(WorkspaceRow, 1)) and row.sms),
    )
    right, mistakes = read_rules(file.rules, known)
    names = [rule.get("name") if isinstance(rule, dict) else None for rule in file.rules]
    for rule, step, way in circles(right):
        place = ("rules", names.index(rule), "do", step)
        words = f"rule '{rule}': starts itself again without end: {way}; a 'when' or a 'once' could end it"
        yield place, words
    for mistake in mistakes:
        name = None
        if (
            mistake.path
            and isinstance(mistake.path[0], int)
            and isinstance(file.rules[mistake.path[0]], dict)
        ):
            name = file.rules[mistake.path[0]].get("name")
        yield ("rules", *mistake.path), (f"rule '{name}': " if name else "") + mistake.words


def _users(session: Session, file: WorkspaceFile) -> set[str]:
    standing = set(session.scalars(select(User.email).where(User.active)))
    if file.users is None:
        return standing
    named = {u.email for u in file.users if u.active}
    kept = set(session.scalars(select(User.email).where(User.active, User.from_file.is_(False))))
    return named | kept


def _teams(session: Session, file: WorkspaceFile) -> set[str]:
    if file.teams is not None:
        return {t.key for t in file.teams}
    return set(session.scalars(select(Team.key).where(Team.active)))


def _lists(session: Session, file: WorkspaceFile) -> frozenset[str]:
    if file.lists is not None:
        return frozenset(entry.key for entry in file.lists)
    return frozenset(session.scalars(select(NamedList.key)))


def _sources(session: Session, file: WorkspaceFile) -> frozenset[str]:
    """The keys of all ways in, also of those that are closed: leads that came by them are still there."""
    named = {s.key for part in CHANNEL_PARTS for s in getattr(file, part) or ()}
    return frozenset(named | set(session.scalars(select(Source.key))))


def _line(document: Document, path: Path, words: str) -> str:
    place = document.place(path)
    value = document.value(path)
    secret = any(str(step) in _SECRETS or "key" in str(step) for step in path[2:])
    shown = "" if value is None or isinstance(value, dict | list) or secret else f" (found: {_short(value)})"
    where = f"{place.file}:{place.line}: " if place else ""
    return f"{where}{_spoken(path)}: {words}{shown}" if path else f"{where}{words}"


def _short(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")


def _spoken(path: Iterable[str | int]) -> str:
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
