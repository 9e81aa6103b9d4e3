"""Activities that come again: ending one plans the next, once."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from crm import activity_parts, recurrence
from crm.element import Element, element_of
from crm.workspace import WorkspaceSettings
from models.activity import Activity, ActivityReminder
from models.deal import Deal
from models.lead import Lead, LeadStatus
from models.pipeline import StageGroup

#: What the next one takes over.
_KEPT = (
    *("type", "subject", "minutes", "place", "note", "owner_id", "urgency"),
    *("lead_id", "deal_id", "contact_id", "company_id"),
    *("recurrence", "zone", "series_id", "series_start", "invites"),
)


def set_rule(session: Session, activity: Activity, rule: str | None, here: WorkspaceSettings) -> None:
    """Makes the activity the first of a series; None: one that does not come again. Raises Invalid."""
    if rule is None:
        activity.recurrence = activity.zone = activity.series_id = None
        activity.series_start = activity.slot_at = None
        return
    recurrence.read(rule)
    activity.due_at = activity.due_at.replace(microsecond=0)
    session.flush()
    activity.recurrence = rule.strip().upper().removeprefix("RRULE:")
    activity.zone, activity.series_id = here.timezone, activity.id
    activity.series_start = activity.slot_at = activity.due_at


def next_slot(activity: Activity) -> datetime | None:
    """When it comes again: the first time in the series later than its own and than now."""
    if activity.recurrence is None or activity.series_start is None or activity.slot_at is None:
        return None
    return recurrence.following(
        activity.recurrence,
        start=activity.series_start,
        zone=ZoneInfo(activity.zone or "UTC"),
        after=max(activity.slot_at, clock.now()),
    )


def go_on(session: Session, activity: Activity, *, actor: str) -> Activity | None:
    """Plans the one after an activity that is over; None where the series is, or what it hangs on.

    However often it is asked for, there is one for each time of the series.
    """
    at = next_slot(activity)
    if at is None or _is_over(element_of(session, activity)):
        return None
    key = f"series:{activity.series_id}:{at.isoformat()}"
    there = session.scalars(select(Activity).where(Activity.effect_key == key)).one_or_none()
    if there is not None:
        return there
    now = clock.now()
    following = Activity(
        **{name: getattr(activity, name) for name in _KEPT},
        due_at=at,
        slot_at=at,
        effect_key=key,
        created_at=now,
        updated_at=now,
        reminders=[ActivityReminder(minutes=r.minutes) for r in activity.reminders],
    )
    activity_parts.set_reminders(following, [r.minutes for r in activity.reminders])
    activity_parts.set_participants(
        following,
        [activity_parts.Participant(p.user_id, p.contact_id, p.email, p.name) for p in activity.participants],
    )
    session.add(following)
    session.flush()
    activity_parts.tell(
        session,
        following,
        "planned",
        summary=f"{following.type.capitalize()} planned again: {following.subject}",
        actor=actor,
        data={"activity": following.id, "due_at": at.isoformat(), "series": activity.series_id},
    )
    return following


def _is_over(element: Element | None) -> bool:
    """Whether nothing is to be done about it any more."""
    if isinstance(element, Lead):
        return element.status in (LeadStatus.JUNK, LeadStatus.MERGED)
    return isinstance(element, Deal) and element.state is StageGroup.LOST
