"""What came of a call that we placed, in the agent's word; the planned call it was made for gets it too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict
from crm import activities, timeline
from crm.element import element_of
from crm.happening import Happening, about
from models.activity import Activity, ActivityState
from models.call import Call, CallResult
from models.call_order import CallOrder
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead

#: What a call that we place can be about.
Called = Lead | Deal | Contact
#: What an agent may say of a call, as rules see it in `activity.outcome`.
OUTCOMES = (
    "talked",
    "interested",
    "not interested",
    "call again",
    "left a message",
    "no answer",
    "busy",
    "wrong number",
)
#: So long rules wait for the agent's word before they hear ours.
PATIENCE = timedelta(minutes=10)


def complete(
    session: Session, order: CallOrder, done: Sequence[Activity], *, outcome: str
) -> list[Happening]:
    """Completes the activities that the call has done, as the agent said, else with this outcome.

    Where the agent has said nothing yet, rules are told later: by `pick`, else by `overdue`.
    """
    told: list[Happening] = []
    for activity in done:
        told += activities.complete(session, activity, actor=order.actor, outcome=order.outcome or outcome)
    if order.outcome is not None or not told:
        return told
    order.completed = [h.activity.id for h in told if h.activity is not None]
    order.tell_at = clock.now() + PATIENCE
    return []


def pick(
    session: Session, order: CallOrder, element: Called, *, outcome: str, note: str = "", actor: str
) -> list[Happening]:
    """What the agent says came of the call. A second word takes the place of the first.

    The caller holds the element's row. Raises Conflict for a call that was never put through.
    """
    call = order.call
    if call.result is CallResult.FAILED:
        raise Conflict("the call was never put through")
    order.outcome = outcome
    words = f"Outcome of the call: {outcome}" + (f". {note}" if note else "")
    data = {"call": call.id, "outcome": outcome} | ({"text": note} if note else {})
    timeline.record(session, element, kind="call_outcome", summary=words[:500], actor=actor, data=data)
    activity = session.get(Activity, order.activity_id) if order.activity_id is not None else None
    if activity is not None and activity.state is ActivityState.PLANNED:
        order.completed = [*order.completed, activity.id]
        return [
            *_told(session, order, element),
            *activities.complete(session, activity, actor=actor, outcome=outcome),
        ]
    for done in _completed(session, order):
        done.outcome = outcome
    return _told(session, order, element)


def overdue(session: Session, order: CallOrder, element: Called) -> list[Happening]:
    """What rules hear of a call whose agent has said nothing for so long."""
    return _told(session, order, element)


def _told(session: Session, order: CallOrder, element: Called) -> list[Happening]:
    if order.tell_at is None:
        return []
    order.tell_at = None
    return [about(element, "activity.completed", activity=a) for a in _completed(session, order)]


def _completed(session: Session, order: CallOrder) -> list[Activity]:
    found = (session.get(Activity, activity_id) for activity_id in order.completed)
    return [a for a in found if a is not None and a.state is ActivityState.DONE]


def about_whom(session: Session, call: Call) -> Called | None:
    """What the call is about, held until the transaction ends; None for a call of nobody we know."""
    found = element_of(session, call)
    if found is None or isinstance(found, Company):
        return None
    session.refresh(found, with_for_update={"of": type(found)})
    return found
