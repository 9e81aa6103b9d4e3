"""A missed call is called back: an activity for whoever has the lead, unless one is planned already."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.ids import digest
from crm import activities
from crm.workspace import WorkspaceSettings
from models.call import Call
from models.lead import Lead
from models.workspace import Calendar
from rules.calendar import BusinessCalendar
from rules.duration import Duration


def plan(session: Session, lead: Lead, call: Call, *, minutes: int, workspace: WorkspaceSettings) -> None:
    """Plans the call, due so many business minutes from now by the workspace's first calendar.

    A call that a rule has planned counts; another missed call makes the one that is planned more urgent.
    """
    standing = activities.planned(session, lead, type="call")
    if standing is not None:
        if standing.created_at < call.created_at:
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
        effect_key=digest("call back", str(call.id)),
    )
