"""Calls that we place, as rows: ordered, recognised in what their provider tells, and what came of them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from core import clock, queue
from core.ids import new_token
from crm.element import Element
from crm.submission import CallUpdate
from models.call import Call
from models.call_order import CallCommand, CallOrder, CommandState
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.recording import Recording
from models.source import Source
from models.timeline import TimelineEntry
from models.user import User

#: A call that was ordered has this before its token for an id, until its provider's own is known.
UNPLACED = "order:"
#: Nobody sits by a telephone for longer that was to ring at once.
PATIENCE = timedelta(seconds=60)


def place(
    session: Session,
    call: Call,
    *,
    agent: User,
    client_number: str,
    line_number: str | None,
    activity_id: int | None,
    actor: str,
) -> CallOrder:
    """Writes down that this call is to be placed, and wakes the worker for it."""
    order = CallOrder(
        token=call.group_id.removeprefix(UNPLACED),
        source_id=call.source_id,
        call_id=call.id,
        user_id=agent.id,
        agent_number=agent.phone,
        client_number=client_number,
        line_number=line_number,
        activity_id=activity_id,
        actor=actor,
        completed=[],
        created_at=clock.now(),
    )
    session.add(order)
    session.flush()
    ask(session, order, "dial")
    return order


def new_update(*, agent: User, client_number: str, line_number: str | None) -> CallUpdate:
    """Our own word of a call that is to be placed, under an id that nobody else has."""
    now = clock.now()
    return CallUpdate(
        call_id=UNPLACED + new_token("call"),
        event="ordered",
        occurred_at=now,
        direction="outbound",
        from_number=line_number,
        to_number=client_number,
        started_at=now,
        answered_by=agent.email,
        ordered=True,
    )


def ask(session: Session, order: CallOrder, kind: str) -> None:
    """Lets the provider be told to do something for the call, once."""
    known = select(CallCommand.id).where(CallCommand.order_id == order.id, CallCommand.kind == kind)
    if session.scalar(known) is None:
        now = clock.now()
        command = CallCommand(
            order_id=order.id, kind=kind, state=CommandState.WAITING, due_at=now, created_at=now
        )
        session.add(command)
        session.flush()
        queue.wake(session, queue.PLACE_CALL, command.id)


def of_call(session: Session, call: Call, *, lock: bool = False) -> CallOrder | None:
    """The order that this call goes back to; None for one that nobody ordered here."""
    chosen = select(CallOrder).where(CallOrder.call_id == call.id)
    return session.scalars(chosen.with_for_update() if lock else chosen).one_or_none()


def is_placed(call: Call) -> bool:
    """Whether the provider has given the call a name."""
    return not call.group_id.startswith(UNPLACED)


def found(session: Session, source: Source, told: CallUpdate) -> Call | None:
    """The call that an event belongs to: by the provider's id, else by the token that we gave it.

    The first event that carries both binds the id to the call that was ordered.
    """
    by_id = _by_id(session, source, told.call_id)
    if told.order is None:
        return by_id
    order = session.scalars(
        select(CallOrder)
        .where(CallOrder.token == told.order, CallOrder.source_id == source.id)
        .with_for_update()
    ).one_or_none()
    if order is None:
        return by_id
    call = session.get_one(Call, order.call_id, populate_existing=True)
    if is_placed(call) or told.call_id == call.group_id:
        return call
    if by_id is not None and by_id.id != call.id:
        _take_over(session, call, by_id)
    call.group_id = told.call_id
    dial = next(c for c in order.commands if c.kind == "dial")
    if dial.state is not CommandState.DONE:
        dial.state, dial.due_at, dial.error, dial.ended_at = CommandState.DONE, None, "", clock.now()
    return call


def _by_id(session: Session, source: Source, call_id: str) -> Call | None:
    return session.scalars(
        select(Call)
        .where(Call.source_id == source.id, Call.group_id == call_id)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _take_over(session: Session, call: Call, other: Call) -> None:
    """What was told of the call before we knew that it is the one we ordered belongs to that one."""
    call.facts = {**other.facts, **call.facts}
    session.execute(update(Recording).where(Recording.call_id == other.id).values(call_id=call.id))
    if other.lead_id is not None:
        call.lead_id = call.lead_id or other.lead_id
        told = select(TimelineEntry).where(
            TimelineEntry.lead_id == other.lead_id, TimelineEntry.kind == "call"
        )
        for entry in session.scalars(told):
            if entry.data.get("call") == other.id:
                entry.data = {**entry.data, "call": call.id}
    call.result, call.direction = other.result, other.direction
    session.delete(other)
    session.flush()


def under_way(
    session: Session, *, agent: User, client_number: str, element: Element | None
) -> CallOrder | None:
    """A call that was ordered lately and is not over: of this agent, or with this client."""
    same = (CallOrder.user_id == agent.id) | (CallOrder.client_number == client_number)
    if element is not None:
        same |= _about(element)
    return session.scalars(
        select(CallOrder)
        .join(Call, Call.id == CallOrder.call_id)
        .where(same, Call.result.is_(None), CallOrder.created_at > clock.now() - PATIENCE)
        .order_by(CallOrder.id)
        .limit(1)
    ).first()


def latest(element: Element) -> Select[CallOrder]:
    """The last call that was ordered to this lead, deal or contact."""
    newest = (
        select(func.max(CallOrder.id))
        .join(Call, Call.id == CallOrder.call_id)
        .where(_about(element))
        .scalar_subquery()
    )
    return select(CallOrder).where(CallOrder.id == newest)


def _about(element: Element) -> ColumnElement[bool]:
    """Which calls are about it; about a contact also those about their deals."""
    if isinstance(element, Lead):
        return Call.lead_id == element.id
    if isinstance(element, Deal):
        return Call.deal_id == element.id
    return (Call.contact_id if isinstance(element, Contact) else Call.company_id) == element.id
