"""What lies around a lead, read from the database only where a condition asks for it, and then once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from core import clock
from crm.call_view import MISSED
from crm.workspace import WorkspaceSettings
from models.call import Call, CallResult
from models.lead import Lead
from models.source import Channel
from models.timeline import TimelineEntry
from models.workspace import Calendar, NamedList
from rules.calendar import BusinessCalendar
from rules.sight import Sight
from rules.workings import Surroundings, folded

_RESULTS: Mapping[str, tuple[CallResult, ...]] = {
    "call.answered": (CallResult.ANSWERED,),
    "call.missed": tuple(MISSED),
    "call.completed": tuple(CallResult),
    "voicemail.received": (CallResult.VOICEMAIL,),
}
_CHANNELS = {"form.submitted": Channel.FORM, "email.received": Channel.EMAIL}


class Reference:
    """The workspace's lists and calendars, for any number of leads."""

    def __init__(self, session: Session, workspace: WorkspaceSettings) -> None:
        self._session = session
        self._workspace = workspace
        self._members: Callable[[str], frozenset[str] | None] = cache(self._read_list)
        self._calendar: Callable[[str], BusinessCalendar | None] = cache(self._read_calendar)

    def around(self, *, person_id: int, now: datetime) -> Surroundings:
        """What lies around a person's leads at a moment."""
        return Surroundings(
            now=now,
            zone=self._workspace.zone,
            country=self._workspace.country,
            members=self._members,
            calendar=self._calendar,
            count=cache(lambda event, length: _count(self._session, person_id, event, now - length, now)),
        )

    def _read_list(self, key: str) -> frozenset[str] | None:
        found = self._session.get(NamedList, key)
        return None if found is None else frozenset(folded(str(v)) for v in found.settings["values"])

    def _read_calendar(self, key: str) -> BusinessCalendar | None:
        found = self._session.get(Calendar, key)
        return None if found is None else BusinessCalendar.of(found.settings, self._workspace.zone)


def around(session: Session, lead: Lead, workspace: WorkspaceSettings) -> Surroundings:
    """What lies around a lead now."""
    return Reference(session, workspace).around(person_id=lead.person_id, now=clock.now())


def sight(session: Session, lead: Lead, workspace: WorkspaceSettings, facts: Mapping[str, Any]) -> Sight:
    """One look at these facts of a lead, as it is now."""
    return Sight(facts, around(session, lead, workspace))


def _count(session: Session, person_id: int, event: str, since: datetime, until: datetime) -> int:
    theirs = select(func.count()).join(Lead).where(Lead.person_id == person_id)
    counted: Select[int]
    moment: ColumnElement[datetime]
    if event == "lead.created":
        counted = select(func.count()).select_from(Lead).where(Lead.person_id == person_id)
        moment = Lead.__table__.c.created_at
    elif event in _CHANNELS:
        counted = theirs.select_from(TimelineEntry).where(
            TimelineEntry.kind.in_(("submission", "email")),
            TimelineEntry.data["channel"].as_string() == _CHANNELS[event].value,
        )
        moment = TimelineEntry.__table__.c.at
    else:
        counted = theirs.select_from(Call).where(Call.result.in_(_RESULTS[event]))
        if event in ("call.missed", "voicemail.received"):
            counted = counted.where(Call.direction == "inbound")
        moment = Call.__table__.c.created_at
    return session.scalar(counted.where(moment > since, moment <= until)) or 0
