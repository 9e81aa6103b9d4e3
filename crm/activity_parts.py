"""What an activity is made of beside its row: who takes part, reminders, and its words on timelines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from core import clock
from crm import timeline
from crm.element import element_of
from models.activity import Activity, ActivityParticipant, ActivityReminder
from models.timeline import TimelineEntry

_COLUMNS = ("lead_id", "deal_id", "contact_id", "company_id")


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who is to take part: one of us, a contact, or an address."""

    user_id: int | None = None
    contact_id: int | None = None
    email: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """What may be said of an activity beyond what it is and when. `reminders` are minutes before its time."""

    note: str = ""
    place: str = ""
    minutes: int | None = None
    reminders: tuple[int, ...] = ()
    participants: tuple[Participant, ...] = ()
    recurrence: str | None = None
    invites: bool = False


def tell(
    session: Session,
    activity: Activity,
    what: str,
    *,
    summary: str,
    actor: str,
    data: dict[str, Any],
    event_id: str | None = None,
) -> TimelineEntry | None:
    """An entry on the timelines of all elements that the activity hangs on; None where it hangs on none."""
    element = element_of(session, activity)
    if element is None:
        return None
    entry = timeline.record(
        session,
        element,
        kind=f"activity_{what}",
        summary=summary,
        actor=actor,
        data=data,
        event_id=event_id,
    )
    for column in _COLUMNS:
        setattr(entry, column, getattr(activity, column) or getattr(entry, column))
    return entry


def set_participants(activity: Activity, wanted: Iterable[Participant]) -> None:
    """Makes these the ones who take part; who does already keeps their row."""
    stands = {(p.user_id, p.contact_id, p.email): p for p in activity.participants}
    activity.participants = [
        stands.get((p.user_id, p.contact_id, p.email))
        or ActivityParticipant(user_id=p.user_id, contact_id=p.contact_id, email=p.email, name=p.name)
        for p in dict.fromkeys(wanted)
    ]


def set_reminders(activity: Activity, minutes: Iterable[int]) -> None:
    """Makes these the reminders, counted back from the activity's time.

    One whose moment is over already is not told, one that was told for the same moment not again.
    """
    now = clock.now()
    stands = {r.minutes: r for r in activity.reminders}
    made = []
    for before in dict.fromkeys(minutes):
        row = stands.get(before) or ActivityReminder(minutes=before)
        at = activity.due_at - timedelta(minutes=before)
        if row.told_at is None or at > row.told_at:
            row.at, row.told_at = (at if at > now else None), None
        made.append(row)
    activity.reminders = made
