"""What a row of leads names of the workspace's own: statuses, sources, reasons, custom fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid
from crm import catalogue, fields, workspace
from crm.entry import Entry
from crm.imported import field as written_field
from crm.written import Custom
from models.lead import LeadStatus
from models.source import Source

_THERE_ANYWAY = (LeadStatus.NEW, LeadStatus.IN_PROGRESS, LeadStatus.JUNK)


class LeadRows:
    """Looks at rows of leads, in one transaction; what does not fit is a problem of its row."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._here, self._settings = workspace.load(session), catalogue.load(session)
        self._declared = self._settings.fields_of("lead")
        self._custom = Custom.of(self._here.zone, locale=self._here.locale, country=self._here.country)
        self._statuses = _words((own.key, own.name) for own in self._settings.lead_statuses)
        self._reasons = _words((own.key, own.name) for own in self._settings.junk_reasons)
        self._sources: Mapping[str, Source] | None = None

    def check(self, entry: Entry) -> None:
        """Puts what the row says into the words that the workspace keeps it in."""
        if entry.problems:
            return
        self._fields(entry)
        if "source" in entry.own:
            self._source(entry)
        if entry.status_word:
            self._status(entry)

    def _fields(self, entry: Entry) -> None:
        if self._declared.keys().isdisjoint(entry.fields):
            return
        given = {}
        for key, value in entry.fields.items():
            try:
                given[key] = written_field.read(self._declared.get(key), value, self._custom)
            except Invalid as error:
                _tell(entry, error)
        if entry.problems:
            return
        try:
            told = fields.checked(self._session, "lead", given, settings=self._settings, here=self._here)
        except Invalid as error:
            _tell(entry, error)
        else:
            entry.fields = {key: value for key, value in told.items() if value is not None}

    def _source(self, entry: Entry) -> None:
        if self._sources is None:
            rows = self._session.scalars(select(Source).order_by(Source.id.desc())).all()
            by_name = {row.name.casefold(): row for row in rows}
            self._sources = by_name | {row.key.casefold(): row for row in rows}
        wanted = entry.own.pop("source")
        entry.source = self._sources.get(wanted.strip().casefold())
        if entry.source is None:
            entry.problems.append(f"source: there is no source '{wanted[:60]}'")

    def _status(self, entry: Entry) -> None:
        wanted, reason = entry.status_word, entry.own.get("reason", "")
        own = self._settings.own_status(self._statuses.get(wanted.casefold(), ""))
        if own is not None:
            entry.status, entry.own_status = LeadStatus.IN_PROGRESS.value, own.key
            missing = [name for name in own.requires if not _has(entry, name)]
            entry.problems += [f"{name}: is required where the status is '{own.key}'" for name in missing]
        elif entry.status is None:
            known = ", ".join([*_THERE_ANYWAY, *(s.key for s in self._settings.lead_statuses)])
            entry.problems.append(f"status: '{wanted[:60]}' is no status: it is one of {known}")
        if entry.status == LeadStatus.JUNK and reason:
            found = self._reasons.get(reason.strip().casefold())
            if found is None and self._reasons:
                known = ", ".join(r.key for r in self._settings.junk_reasons)
                entry.problems.append(f"reason: '{reason[:60]}' is none of {known}")
            entry.own["reason"] = found or reason[:200]


def _words(named: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    return {word.casefold(): key for key, name in named for word in (name, key) if word}


def _tell(entry: Entry, error: Invalid) -> None:
    entry.problems += [f"{name.removeprefix('/fields/')}: {words}" for name, words in error.fields.items()]


def _has(entry: Entry, name: str) -> bool:
    """Whether the row says what a status asks for."""
    custom = name.removeprefix("fields.")
    if name != custom:
        return entry.fields.get(custom) not in (None, "", [])
    said: Mapping[str, Callable[[], object]] = {
        "name": lambda: entry.name,
        "email": lambda: entry.emails,
        "phone": lambda: entry.phones,
        "owner": lambda: entry.owner,
    }
    return bool(said[name]() if name in said else entry.own.get(name))
