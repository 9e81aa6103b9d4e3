"""Planned actions: made, and done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core import clock
from crm import timeline
from crm.element import Element, element_of, place_of
from crm.happening import Happening
from models.activity import Activity, ActivityState
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead

# What a person who has done it has said something to the lead with.
_ANSWERS = ("call", "meeting", "email")


def plan(
    session: Session,
    element: Element,
    *,
    type: str,  # noqa: A002  the field's name everywhere
    subject: str,
    due_at: datetime,
    actor: str,
    effect_key: str | None = None,
) -> Activity:
    """Plans an activity for the element's owner."""
    place = place_of(element)
    activity = Activity(
        type=type,
        subject=subject,
        due_at=due_at,
        owner_id=element.owner_id,
        lead_id=place.lead_id,
        contact_id=place.contact_id,
        company_id=place.company_id,
        deal_id=place.deal_id,
        created_at=clock.now(),
        effect_key=effect_key,
    )
    session.add(activity)
    session.flush()
    timeline.record(
        session,
        element,
        kind="activity_planned",
        summary=f"{type.capitalize()} planned: {subject}",
        actor=actor,
        data={"activity": activity.id, "due_at": due_at.isoformat()},
    )
    return activity


def all_planned(session: Session, element: Element, *, type: str | None) -> Sequence[Activity]:  # noqa: A002
    """The element's planned activities, of one type or of all, the first due first."""
    chosen = select(Activity).where(_on(element), Activity.state == ActivityState.PLANNED)
    if type is not None:
        chosen = chosen.where(Activity.type == type)
    return session.scalars(chosen.order_by(Activity.due_at).with_for_update(of=Activity)).all()


def complete(session: Session, activity: Activity, *, actor: str, outcome: str = "") -> list[Happening]:
    """Marks an activity as done, with what came of it."""
    return _end(session, activity, ActivityState.DONE, actor=actor, outcome=outcome)


def cancel(session: Session, activity: Activity, *, actor: str, outcome: str = "") -> list[Happening]:
    """Marks an activity as not to be done any more."""
    return _end(session, activity, ActivityState.CANCELLED, actor=actor, outcome=outcome)


def _end(
    session: Session, activity: Activity, state: ActivityState, *, actor: str, outcome: str
) -> list[Happening]:
    if activity.state is not ActivityState.PLANNED:
        return []
    activity.state = state
    activity.done_at = clock.now()
    activity.outcome = outcome or activity.outcome
    element = element_of(session, activity)
    if element is None:
        return []
    timeline.record(
        session,
        element,
        kind=f"activity_{state.value}",
        summary=f"{activity.type.capitalize()} {state.value}: {activity.subject}"
        + (f" ({outcome})" if outcome else ""),
        actor=actor,
        data={"activity": activity.id, "outcome": outcome},
    )
    if not isinstance(element, Lead):
        return []
    lead, done = element, state is ActivityState.DONE
    if done and activity.type in _ANSWERS and not actor.startswith("rule:"):
        lead.first_response_at = lead.first_response_at or clock.now()
        lead.last_outbound_at = clock.now()
    return [Happening("activity.completed", lead, activity=activity)] if done else []


def _on(element: Element) -> ColumnElement[bool]:
    columns = {
        Lead: Activity.lead_id,
        Deal: Activity.deal_id,
        Contact: Activity.contact_id,
        Company: Activity.company_id,
    }
    return columns[type(element)] == element.id


def planned(session: Session, element: Element, *, type: str) -> Activity | None:  # noqa: A002
    """The element's next planned activity of a type."""
    return session.scalars(
        select(Activity)
        .where(_on(element), Activity.type == type, Activity.state == ActivityState.PLANNED)
        .order_by(Activity.due_at)
        .limit(1)
    ).first()
