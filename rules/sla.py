"""Speed to lead: the clock from an enquiry to the first answer by a person, in working time.

The first policy whose condition is true of a new lead starts its clock. At its marks rules hear of
`sla.warning` and, when the time is up, of `sla.breached`; a person's answer ends it, and a condition may
make it pause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid
from crm import timeline
from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.lead import OPEN, STRAIGHT, Lead
from models.sla import SlaClock, SlaState
from models.workspace import WorkspaceRow
from rules import calendars, duration, facts, surroundings
from rules.calendar import BusinessCalendar
from rules.condition import Condition, unchecked
from rules.duration import Duration
from rules.sight import Sight
from rules.vocabulary import OF_LEAD

_WARN_AT = (50, 80)
# Where the workspace has no calendar.
_ALWAYS = {"key": "always", "hours": {"mon-sun": "00:00-24:00"}}
_GOING = (SlaState.RUNNING, SlaState.PAUSED)


class PolicySettings(BaseModel):
    """A promise about first answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Short name")
    name: str = Field("", description="What people call it")
    when: str | None = Field(None, description="For which leads: condition in CEL; all if left out")
    first_response: str = Field(description="Within how long: 30 business minutes, 2 hours")
    calendar: str | None = Field(None, description="Whose business time; the first one's if left out")
    warn_at: list[int] = Field(
        default_factory=lambda: list(_WARN_AT), max_length=10, description="Marks in per cent of the time"
    )
    pause_when: str | None = Field(None, description="Condition on the lead while which no time passes")

    @field_validator("first_response")
    @classmethod
    def _length(cls, value: str) -> str:
        try:
            found = duration.parse(value)
        except Invalid as error:
            raise ValueError(str(error)) from None
        if found.days is not None or not found.length:
            raise ValueError("needs a length in minutes or hours: a business day has no fixed one")
        return value

    @field_validator("warn_at")
    @classmethod
    def _marks(cls, value: list[int]) -> list[int]:
        if any(not 0 < mark < 100 for mark in value) or any(a >= b for a, b in pairwise(value)):
            raise ValueError("marks rise, and lie between 1 and 99")
        return value

    @field_validator("when", "pause_when")
    @classmethod
    def _condition(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                Condition(value, OF_LEAD)
            except Invalid as error:
                raise ValueError(str(error)) from None
        return value


def attend(session: Session, happening: Happening, workspace: WorkspaceSettings) -> None:
    """Lets a lead's clock pause, go on or end with what happens to the lead."""
    lead = happening.lead
    row = session.get(SlaClock, lead.id) if lead is not None else None
    if lead is None or row is None or row.state not in _GOING:
        return
    if lead.first_response_at is not None:
        _end(session, row, lead, lead.first_response_at, workspace)
    elif lead.status not in OPEN and lead.closing_reason != STRAIGHT:
        row.state, row.ended_at = SlaState.ENDED, clock.now()
        row.due_at = row.next_at = None
    elif (condition := row.settings.get("pause_when")) is not None:
        paused = unchecked(condition).evaluate(_sight(session, happening, workspace))[0]
        if paused and row.state is SlaState.RUNNING:
            _pause(session, row, lead, workspace)
        elif not paused and row.state is SlaState.PAUSED:
            row.state, row.running_since = SlaState.RUNNING, clock.now()
            _plan(session, row, workspace)
            timeline.record(session, lead, kind="sla", summary="The clock to the first answer runs again")


def mark(session: Session, row: SlaClock, lead: Lead, workspace: WorkspaceSettings) -> list[Happening]:
    """What the clock tells at the mark it has come to; after a long stop each mark once, in order."""
    told: list[Happening] = []
    now = clock.now()
    while row.state is SlaState.RUNNING and row.next_at is not None and row.next_at <= now:
        percent = _next_mark(row)
        row.told_percent = percent
        data = {"policy": row.policy, "percent": percent}
        if percent == 100:
            row.breached_at, lead.in_time = row.due_at, False
            words = f"No first answer in time ({row.settings['first_response']})"
            timeline.record(session, lead, kind="sla", summary=words, data=data)
        told.append(Happening("sla.breached" if percent == 100 else "sla.warning", lead, data))
        _plan(session, row, workspace)
    return told


def start(session: Session, happening: Happening, workspace: WorkspaceSettings) -> bool:
    """Starts the clock of a new lead where a policy applies; says whether it has one."""
    lead = happening.lead
    policies = _policies(session)
    if lead is None or not policies or lead.first_response_at is not None:
        return False
    if session.get(SlaClock, lead.id) is not None:
        return True
    seen = _sight(session, happening, workspace)
    for policy in policies:
        when = policy.get("when")
        if when is None or unchecked(when).evaluate(seen)[0]:
            # Measured from when the enquiry came, which may be a while ago after a stop.
            began = min(lead.created_at, clock.now())
            # As it was checked when it was applied; a later release may be stricter.
            settings = {"warn_at": list(_WARN_AT), **policy}
            row = SlaClock(
                lead_id=lead.id,
                policy=settings["key"],
                settings=settings,
                state=SlaState.RUNNING,
                started_at=began,
                running_since=began,
                elapsed_seconds=0,
                told_percent=0,
            )
            session.add(row)
            _plan(session, row, workspace)
            return True
    return False


def _policies(session: Session) -> Sequence[Mapping[str, Any]]:
    row = session.get(WorkspaceRow, 1)
    return row.sla if row is not None else ()


def _sight(session: Session, happening: Happening, workspace: WorkspaceSettings) -> Sight:
    return surroundings.sight(session, happening.lead, workspace, facts.of(happening, workspace))


def _plan(session: Session, row: SlaClock, workspace: WorkspaceSettings) -> None:
    """The moments of its end and of its next mark, from where it runs."""
    length = duration.parse(row.settings["first_response"])
    row.due_at = _at(session, row, 100, length, workspace)
    following = _next_mark(row)
    row.next_at = _at(session, row, following, length, workspace) if following else None


def _next_mark(row: SlaClock) -> int:
    """In per cent; 0 after the last."""
    return next((m for m in [*row.settings["warn_at"], 100] if m > row.told_percent), 0)


def _at(
    session: Session, row: SlaClock, percent: int, length: Duration, workspace: WorkspaceSettings
) -> datetime:
    left = max(length.length * percent / 100 - timedelta(seconds=row.elapsed_seconds), timedelta())
    if not length.business:
        return row.running_since + left
    calendar = _calendar(session, row.settings.get("calendar"), workspace)
    return calendar.after(row.running_since, Duration(left, business=True))


def _pause(session: Session, row: SlaClock, lead: Lead, workspace: WorkspaceSettings) -> None:
    row.elapsed_seconds = _elapsed(session, row, clock.now(), workspace)
    row.state, row.due_at, row.next_at = SlaState.PAUSED, None, None
    timeline.record(session, lead, kind="sla", summary="The clock to the first answer pauses")


def _elapsed(session: Session, row: SlaClock, at: datetime, workspace: WorkspaceSettings) -> int:
    """How much of its policy's time had passed at a moment, in seconds."""
    if row.state is not SlaState.RUNNING or at <= row.running_since:
        return row.elapsed_seconds
    if duration.parse(row.settings["first_response"]).business:
        calendar = _calendar(session, row.settings.get("calendar"), workspace)
        passed = calendar.between(row.running_since, at)
    else:
        passed = at - row.running_since
    return row.elapsed_seconds + round(passed.total_seconds())


def _end(session: Session, row: SlaClock, lead: Lead, at: datetime, workspace: WorkspaceSettings) -> None:
    row.taken_seconds = _elapsed(session, row, at, workspace)
    in_time = row.breached_at is None and (row.due_at is None or at <= row.due_at)
    row.state, row.ended_at = (SlaState.MET if in_time else SlaState.LATE), at
    lead.in_time = in_time
    row.due_at = row.next_at = None
    minutes = round((at - row.started_at).total_seconds() / 60)
    words = f"First answer after {minutes} minutes, {'in time' if in_time else 'too late'}"
    timeline.record(session, lead, kind="sla", summary=words, data={"policy": row.policy})


def _calendar(session: Session, key: str | None, workspace: WorkspaceSettings) -> BusinessCalendar:
    found = calendars.named(session, key, workspace.zone)
    return found if found is not None else BusinessCalendar.of(_ALWAYS, workspace.zone)
