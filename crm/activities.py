"""Planned actions: made, and done."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from crm import timeline
from models.activity import Activity, ActivityState
from models.lead import Lead


def plan(
    session: Session,
    lead: Lead,
    *,
    type: str,  # noqa: A002  the field's name everywhere
    subject: str,
    due_at: datetime,
    actor: str,
    effect_key: str | None = None,
) -> Activity:
    """Plans an activity for the lead's owner."""
    activity = Activity(
        type=type,
        subject=subject,
        due_at=due_at,
        owner_id=lead.owner_id,
        lead_id=lead.id,
        created_at=clock.now(),
        effect_key=effect_key,
    )
    session.add(activity)
    session.flush()
    timeline.record(
        session,
        lead,
        kind="activity_planned",
        summary=f"{type.capitalize()} planned: {subject}",
        actor=actor,
        data={"activity": activity.id, "due_at": due_at.isoformat()},
    )
    return activity


def planned(session: Session, lead: Lead, *, type: str) -> Activity | None:  # noqa: A002
    """The lead's next planned activity of a type."""
    return session.scalars(
        select(Activity)
        .where(Activity.lead_id == lead.id, Activity.type == type, Activity.state == ActivityState.PLANNED)
        .order_by(Activity.due_at)
        .limit(1)
    ).first()
