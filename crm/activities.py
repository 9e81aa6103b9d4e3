"""Planned actions: made, changed, and done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core import clock
from core.rows import insert_alone
from crm import invitations, newborn, series
from crm.activity_parts import Details, set_participants, set_reminders, tell
from crm.element import Element, element_of, place_of
from crm.happening import Happening, about
from crm.workspace import load as here
from models.activity import Activity, ActivityState
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead

# What a person who has done it has said something to the lead with.
_ANSWERS = ("call", "meeting", "email")
_COLUMNS: dict[type[Element], str] = {
    Lead: "lead_id",
    Deal: "deal_id",
    Contact: "contact_id",
    Company: "company_id",
}


def plan(
    session: Session,
    element: Element | None,
    *,
    type: str,  # noqa: A002  the field's name everywhere
    subject: str,
    due_at: datetime,
    actor: str,
    effect_key: str | None = None,
    owner_id: int | None = None,
    also: Sequence[Element] = (),
    details: Details = Details(),  # noqa: B008  it is frozen
) -> Activity:
    """Plans an activity on an element, and on others `also`: for whoever is named, else for its owner."""
    now = clock.now()
    activity = Activity(
        type=type,
        subject=subject,
        due_at=due_at,
        owner_id=owner_id if owner_id is not None or element is None else element.owner_id,
        note=details.note,
        place=details.place,
        minutes=details.minutes,
        created_at=now,
        updated_at=now,
        effect_key=effect_key,
    )
    for one in (element, *also) if element is not None else ():
        for column, value in place_of(one).columns().items():
            # What was named itself stands before what lies around another.
            own = column == _column_of(one)
            setattr(activity, column, value if own else getattr(activity, column) or value)
    newborn.laden(session, activity.lead_id)
    activity.invites = details.invites
    set_participants(activity, details.participants)
    set_reminders(activity, details.reminders)
    if details.participants or details.reminders:
        session.add(activity)
        session.flush()
    else:
        insert_alone(session, activity)
    if details.recurrence is not None:
        series.set_rule(session, activity, details.recurrence, here(session))
    data = {"activity": activity.id, "due_at": due_at.isoformat()}
    tell(
        session,
        activity,
        "planned",
        summary=f"{type.capitalize()} planned: {subject}",
        actor=actor,
        data=data,
    )
    invitations.send(session, activity, actor=actor)
    return activity


def _column_of(element: Element) -> str:
    return _COLUMNS[type(element)]


def all_planned(session: Session, element: Element, *, type: str | None) -> Sequence[Activity]:  # noqa: A002
    """The element's planned activities, of one type or of all, the first due first."""
    chosen = select(Activity).where(_on(element), Activity.state == ActivityState.PLANNED)
    if type is not None:
        chosen = chosen.where(Activity.type == type)
    return session.scalars(chosen.order_by(Activity.due_at).with_for_update(of=Activity)).all()


def complete(
    session: Session,
    activity: Activity,
    *,
    actor: str,
    outcome: str = "",
    result: str = "",
    whole_series: bool = False,
) -> list[Happening]:
    """Marks an activity as done, with what came of it: its outcome, and a result in words.

    Of one that comes again the next is planned, unless the `whole_series` is to end with it.
    """
    happened = _end(session, activity, ActivityState.DONE, actor=actor, outcome=outcome, result=result)
    return _went_on(session, activity, happened, actor, whole_series)


def cancel(
    session: Session,
    activity: Activity,
    *,
    actor: str,
    outcome: str = "",
    result: str = "",
    whole_series: bool = False,
) -> list[Happening]:
    """Marks an activity as not to be done any more; whoever was invited is told, the next one is planned."""
    was_planned = activity.state is ActivityState.PLANNED
    happened = _end(session, activity, ActivityState.CANCELLED, actor=actor, outcome=outcome, result=result)
    if was_planned:
        invitations.withdraw(session, activity, actor=actor)
    return _went_on(session, activity, happened, actor, whole_series)


def _went_on(
    session: Session, activity: Activity, happened: list[Happening], actor: str, whole_series: bool
) -> list[Happening]:
    following = None if whole_series else series.go_on(session, activity, actor=actor)
    if following is not None and following.sequence == 0:
        invitations.send(session, following, actor=actor)
    return happened


def _end(
    session: Session, activity: Activity, state: ActivityState, *, actor: str, outcome: str, result: str
) -> list[Happening]:
    if activity.state is not ActivityState.PLANNED:
        return []
    activity.state = state
    activity.done_at = activity.updated_at = clock.now()
    activity.outcome = outcome or activity.outcome
    activity.result = result or activity.result
    tell(
        session,
        activity,
        state.value,
        summary=f"{activity.type.capitalize()} {state.value}: {activity.subject}"
        + (f" ({outcome})" if outcome else ""),
        actor=actor,
        data={"activity": activity.id, "outcome": outcome} | ({"text": result} if result else {}),
    )
    element = element_of(session, activity)
    if element is None or state is not ActivityState.DONE or isinstance(element, Company):
        return []
    if activity.type in _ANSWERS and not actor.startswith("rule:"):
        if isinstance(element, Lead):
            element.first_response_at = element.first_response_at or clock.now()
            element.last_outbound_at = clock.now()
        else:
            element.waits_since = None
    return [about(element, "activity.completed", activity=activity)]


def _on(element: Element) -> ColumnElement[bool]:
    columns = {
        Lead: Activity.lead_id,
        Deal: Activity.deal_id,
        Contact: Activity.contact_id,
        Company: Activity.company_id,
    }
    return columns[type(element)] == element.id


def is_on(activity: Activity, element: Element) -> bool:
    """Whether an activity is this element's."""
    ids = {
        Lead: activity.lead_id,
        Deal: activity.deal_id,
        Contact: activity.contact_id,
        Company: activity.company_id,
    }
    return ids[type(element)] == element.id


def planned(session: Session, element: Element, *, type: str | None = None) -> Activity | None:  # noqa: A002
    """The element's next planned activity, of a type or of any."""
    chosen = select(Activity).where(_on(element), Activity.state == ActivityState.PLANNED)
    if type is not None:
        chosen = chosen.where(Activity.type == type)
    return session.scalars(chosen.order_by(Activity.due_at).limit(1)).first()
