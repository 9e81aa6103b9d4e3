"""A missed call is called back: an activity for whoever has the lead, unless one is planned already."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.ids import digest
from crm import activities
from crm.workspace import WorkspaceSettings
from models.activity import Activity
from models.call import Call
from models.lead import Lead
from models.timeline import TimelineEntry
from models.workspace import Calendar
from rules.calendar import BusinessCalendar
from rules.duration import Duration


def plan(session: Session, lead: Lead, call: Call, *, minutes: int, workspace: WorkspaceSettings) -> None:
    """Plans the call, due so many business minutes from now by the workspace's first calendar.

    Once for each call, also where that one was made or cancelled since. A call that a rule has planned
    counts; another missed call makes the one that is planned more urgent.
    """
    effect_key = digest("call back", str(call.id))
    if session.scalar(select(Activity.id).where(Activity.effect_key == effect_key)) is not None:
        return
    standing = activities.planned(session, lead, type="call")
    if standing is not None:
        if not _planned_for_it(session, lead, standing):
            standing.urgency += 1
        return
    wait = Duration(timedelta(minutes=minutes), business=True)
    calendar = session.scalars(select(Calendar).order_by(Calendar.key).limit(1)).first()
    now = clock.now()
    due_at = (
        BusinessCalendar.of(calendar.settings, workspace.zone).after(now, wait)
        if calendar
        else now + wait.length
    )
    activities.plan(
        session,
        lead,
        type="call",
        subject=f"Call back {lead.name or call.from_number or 'a withheld number'}",
        due_at=due_at,
        actor="service",
        effect_key=effect_key,
    )


def _planned_for_it(session: Session, lead: Lead, activity: Activity) -> bool:
    """Whether a rule has planned it because of this very call: since the call was told on the timeline."""
    # By the order on the timeline and not by the time: two calls may ring at the same moment.
    told = select(func.max(TimelineEntry.id)).where(
        TimelineEntry.lead_id == lead.id, TimelineEntry.kind == "call"
    )
    since = session.scalars(
        select(TimelineEntry.data).where(
            TimelineEntry.lead_id == lead.id,
            TimelineEntry.kind == "activity_planned",
            TimelineEntry.id > told.scalar_subquery(),
        )
    )
    return any(data.get("activity") == activity.id for data in since)
