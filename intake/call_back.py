"""A missed call is called back by whoever has the lead, deal or contact, unless a call is planned already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.ids import digest
from crm import activities
from crm.call_view import MISSED
from crm.workspace import WorkspaceSettings
from models.activity import Activity
from models.call import Call, CallResult
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.timeline import TimelineEntry
from rules import calendars
from rules.duration import Duration

Called = Lead | Deal | Contact

# A planned call that is due this soon is done by any call.
_SOON = timedelta(hours=1)
# No more of somebody's calls are looked at.
_MOST = 200


def plan(
    session: Session, element: Called, call: Call, *, minutes: int, workspace: WorkspaceSettings
) -> None:
    """Plans the call, due so many business minutes from now by the workspace's first calendar.

    Once for each call, also where that one was made or cancelled since. A call that a rule has planned
    counts; another missed call makes the one that is planned more urgent.
    """
    effect_key = _effect_key(call.id)
    if session.scalar(select(Activity.id).where(Activity.effect_key == effect_key)) is not None:
        return
    standing = activities.planned(session, element, type="call")
    if standing is not None:
        if not _planned_for_it(session, element, standing):
            standing.urgency += 1
        return
    wait = Duration(timedelta(minutes=minutes), business=True)
    calendar = calendars.named(session, None, workspace.zone)
    now = clock.now()
    due_at = calendar.after(now, wait) if calendar is not None else now + wait.length
    activities.plan(
        session,
        element,
        type="call",
        subject=f"Call back {_name(element) or call.from_number or 'a withheld number'}",
        due_at=due_at,
        actor="service",
        effect_key=effect_key,
    )


def made_needless(session: Session, element: Called, call: Call) -> list[Activity]:
    """The planned calls that this one, ours or answered, has done: what was to be called back before it,
    and any that is due within the hour or overdue."""
    missed = {_effect_key(c.id): c for c in _calls(session, element) if c.result in MISSED}
    soon = clock.now() + _SOON
    return [
        activity
        for activity in activities.all_planned(session, element, type="call")
        if (
            _follows(call, missed[activity.effect_key])
            if activity.effect_key in missed
            else activity.due_at <= soon
        )
    ]


def done_already(session: Session, element: Called, call: Call) -> bool:
    """Whether the news of a missed call came so late that they have been talked to since."""
    return any(
        _follows(other, call)
        for other in _calls(session, element)
        if other.id != call.id
        and (other.answered_at or other.started_at or other.ended_at)
        and call.ended_at
        and (other.result is CallResult.ANSWERED or (other.direction == "outbound" and other.result))
    )


def _calls(session: Session, element: Called) -> Sequence[Call]:
    theirs = {Lead: Call.lead_id, Deal: Call.deal_id, Contact: Call.contact_id}[type(element)] == element.id
    return session.scalars(select(Call).where(theirs).order_by(Call.id.desc()).limit(_MOST)).all()


def _name(element: Called) -> str:
    if isinstance(element, Deal):
        return element.contact.name if element.contact is not None else element.title
    return element.name


def _follows(call: Call, missed: Call) -> bool:
    """Whether it reached them, or tried to, after the other had ended; by the provider's clock alone."""
    talked = call.answered_at or call.started_at
    if talked is None and call.ended_at is not None:
        talked = call.ended_at - timedelta(seconds=call.talk_seconds or 0)
    over = missed.ended_at or missed.started_at
    return talked is None or over is None or talked >= over


def _effect_key(call_id: int) -> str:
    return digest("call back", str(call_id))


def _planned_for_it(session: Session, element: Called, activity: Activity) -> bool:
    """Whether a rule has planned it because of this very call: since the call was told on the timeline."""
    if not isinstance(element, Lead):
        return False
    # By the order on the timeline and not by the time: two calls may ring at the same moment.
    told = select(func.max(TimelineEntry.id)).where(
        TimelineEntry.lead_id == element.id, TimelineEntry.kind == "call"
    )
    since = session.scalars(
        select(TimelineEntry.data).where(
            TimelineEntry.lead_id == element.id,
            TimelineEntry.kind == "activity_planned",
            TimelineEntry.id > told.scalar_subquery(),
        )
    )
    return any(data.get("activity") == activity.id for data in since)
