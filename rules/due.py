"""When something is due that a rule says in words: `2 hours`, `15 business minutes`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select

from core.errors import Invalid
from core.rows import flush_any
from models.workspace import Calendar
from rules import duration
from rules.calendar import BusinessCalendar
from rules.step import Known, StepContext
from rules.vocabulary import nearest

_CALENDAR = Calendar.__table__.c
_FIRST = select(_CALENDAR.settings).order_by(_CALENDAR.key).limit(1)
_NAMED = select(_CALENDAR.settings).where(_CALENDAR.key == bindparam("key"))


def check(text: str, calendar: str | None, known: Known) -> None:
    """Raises Invalid for a calendar that is not there, or that business time would need."""
    if calendar is not None and calendar not in known.calendars:
        raise Invalid(f"there is no calendar '{calendar}'{nearest(calendar, known.calendars)}")
    if duration.parse(text).business and not known.calendars:
        raise Invalid(f"'{text}' needs a calendar, and the workspace has none")


def moment(context: StepContext, text: str, calendar: str | None) -> datetime:
    """The moment so long after now, in UTC; in business time by this calendar or the workspace's first.

    Raises Invalid where the calendar is gone.
    """
    wanted = duration.parse(text)
    if not wanted.business and calendar is None:
        return context.now + wanted.length
    flush_any(context.session, Calendar)
    if calendar is None:
        settings = context.session.connection().scalar(_FIRST)
    else:
        settings = context.session.connection().scalar(_NAMED, {"key": calendar})
    if settings is None:
        named = f" '{calendar}'" if calendar else ""
        raise Invalid(f"there is no calendar{named} any more")
    return BusinessCalendar.of(settings, context.workspace.zone).after(context.now, wanted)
