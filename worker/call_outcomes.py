"""Tells rules of calls that were made, where the agent has not said what came of them."""

from __future__ import annotations

from sqlalchemy import select

from core import clock, db
from core.ids import new_id
from crm import call_outcomes, workspace
from models.call import Call
from models.call_order import CallOrder
from rules import engine

_MOST = 200


def tell() -> int:
    """Of each once; says of how many."""
    with db.reading() as session:
        rows = session.execute(
            select(CallOrder.id, CallOrder.call_id)
            .where(CallOrder.tell_at <= clock.now())
            .order_by(CallOrder.tell_at)
            .limit(_MOST)
        ).all()
    for order_id, call_id in rows:
        with db.unit_of_work() as session:
            element = call_outcomes.about_whom(session, session.get_one(Call, call_id))
            order = session.get_one(CallOrder, order_id, with_for_update=True)
            if order.tell_at is None or order.tell_at > clock.now():
                continue
            if element is None:
                order.tell_at = None
                continue
            happened = call_outcomes.overdue(session, order, element)
            engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    return len(rows)
