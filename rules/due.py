"""When something is due that a rule says in words: `2 hours`, `15 business minutes`."""

from __future__ import annotations

from datetime import datetime

from core.errors import Invalid
from rules import calendars, duration
from rules.step import Known, StepContext
from rules.vocabulary import nearest


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
    found = calendars.named(context.session, calendar, context.workspace.zone)
    if found is None:
        named = f" '{calendar}'" if calendar else ""
        raise Invalid(f"there is no calendar{named} any more")
    return found.after(context.now, wanted)
