"""What lies around a lead, deal or contact, read only where a condition asks for it, and then once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from core import clock
from crm.call_view import MISSED
from crm.element import Element, person_id_of
from crm.happening import about
from crm.workspace import WorkspaceSettings
from models.call import Call, CallResult
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.segment import Segment, SegmentMember
from models.source import Channel
from models.timeline import TimelineEntry
from models.workspace import NamedList
from rules import calendars, facts
from rules.calendar import BusinessCalendar
from rules.condition import unchecked
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

    def around(
        self,
        *,
        person_id: int | None,
        now: datetime,
        segment: Callable[[str], bool | None] = lambda _: None,
    ) -> Surroundings:
        """What lies around a person at a moment; around somebody unknown nothing has happened yet."""
        return Surroundings(
            now=now,
            zone=self._workspace.zone,
            country=self._workspace.country,
            members=self._members,
            calendar=self._calendar,
            count=cache(
                lambda event, length: (
                    0 if person_id is None else _count(self._session, person_id, event, now - length, now)
                )
            ),
            segment=segment,
        )

    def in_segment(self, segment: Segment, element: Element) -> bool:
        """Whether a lead, deal or contact is in a segment now."""
        if element.__tablename__ != segment.kind:
            return False
        if not segment.living:
            return self._session.get(SegmentMember, (segment.id, element.id)) is not None
        return self.true_of(segment, element)

    def true_of(self, segment: Segment, element: Element) -> bool:
        """Whether a segment's condition is true of a lead, deal or contact now."""
        if not isinstance(element, Lead | Deal | Contact):
            return False
        seen = facts.of(about(element, "manual"), self._workspace)
        near = self.around(person_id=person_id_of(element), now=clock.now())
        return unchecked(segment.condition).matches(Sight(seen, near))

    def in_segment_named(self, key: str, element: Element | None) -> bool | None:
        """The same by the segment's key; None where there is none."""
        segment = self._session.scalars(select(Segment).where(Segment.key == key)).one_or_none()
        return None if segment is None else element is not None and self.in_segment(segment, element)

    def _read_list(self, key: str) -> frozenset[str] | None:
        found = self._session.get(NamedList, key)
        return None if found is None else frozenset(folded(str(v)) for v in found.settings["values"])

    def _read_calendar(self, key: str) -> BusinessCalendar | None:
        return calendars.named(self._session, key, self._workspace.zone)


def around(session: Session, element: Element | None, workspace: WorkspaceSettings) -> Surroundings:
    """What lies around a lead, deal or contact now."""
    reference = Reference(session, workspace)
    return reference.around(
        person_id=person_id_of(element),
        now=clock.now(),
        segment=cache(lambda key: reference.in_segment_named(key, element)),
    )


def sight(
    session: Session, element: Element | None, workspace: WorkspaceSettings, seen: Mapping[str, Any]
) -> Sight:
    """One look at these facts of an element, as it is now."""
    return Sight(seen, around(session, element, workspace))


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
