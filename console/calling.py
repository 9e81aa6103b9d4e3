"""The lead page's button that calls, and what the agent says came of it."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from console import auth
from core import db
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from crm import call_outcomes, workspace
from intake import calling
from models.call import Call
from models.call_order import CallOrder
from models.lead import Lead
from rules import engine

_LONGEST_NOTE = 2000


def call(lead_id: int) -> ResponseReturnValue:
    """Rings the telephone of whoever is at the console, and then the lead's."""
    user = auth.current_user()
    calling.may_call(user)
    phone = request.form.get("phone", "").strip()[:64] or None
    try:
        with db.unit_of_work() as session:
            lead = session.get(Lead, lead_id, with_for_update=True)
            if lead is None:
                raise NotFound("There is no such lead.")
            calling.order(session, agent=user, actor=f"user:{user.id}", lead=lead, phone=phone)
    except Invalid as error:
        flash("; ".join(error.fields.values()) or str(error), "calling")
    except Conflict as error:
        flash(str(error), "calling")
    return redirect(url_for("console.lead", lead_id=lead_id, _anchor="calling"), 303)


def outcome(call_id: int) -> ResponseReturnValue:
    """Writes down what came of a call that was placed here."""
    calling.may_call(auth.current_user())
    picked = request.form.get("outcome", "")
    if picked not in call_outcomes.OUTCOMES:
        raise Invalid("Please pick what came of the call.")
    note = request.form.get("note", "").strip()[:_LONGEST_NOTE]
    with db.unit_of_work() as session:
        row = session.get(Call, call_id)
        if row is None or row.order is None or row.lead_id is None:
            raise NotFound("There is no such call.")
        lead = session.get_one(Lead, row.lead_id, with_for_update=True)
        order = session.get_one(CallOrder, row.order.id, with_for_update=True, populate_existing=True)
        actor = f"user:{auth.current_user().id}"
        happened = call_outcomes.pick(session, order, lead, outcome=picked, note=note, actor=actor)
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        lead_id = lead.id
    return redirect(url_for("console.lead", lead_id=lead_id, _anchor="calling"), 303)
