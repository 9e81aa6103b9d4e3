"""The button that calls, on the page of a lead, a deal or a contact, and what came of it."""

from __future__ import annotations

from typing import cast

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from console import auth
from core import db
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from crm import call_outcomes, workspace
from crm.call_outcomes import Called
from crm.element import element_of
from intake import calling
from models.call import Call
from models.call_order import CallOrder
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from rules import engine

_LONGEST_NOTE = 2000
_TABLES: dict[str, type[Lead | Deal | Contact]] = {"lead": Lead, "deal": Deal, "contact": Contact}


def call(kind: str, row_id: int) -> ResponseReturnValue:
    """Rings the telephone of whoever is at the console, and then the lead's, the deal's or the contact's."""
    user = auth.current_user()
    calling.may_call(user)
    phone = request.form.get("phone", "").strip()[:64] or None
    table = _TABLES[kind]
    page = _page(kind, row_id)
    try:
        with db.unit_of_work() as session:
            row = cast("Called | None", session.get(table, row_id, with_for_update={"of": table}))
            if row is None:
                raise NotFound(f"There is no such {kind}.")
            order = calling.order(session, agent=user, actor=f"user:{user.id}", element=row, phone=phone)
            if (about := element_of(session, order.call)) is not None:
                page = _page(about.__tablename__, about.id)
    except Invalid as error:
        flash("; ".join(error.fields.values()) or str(error), "calling")
    except Conflict as error:
        flash(str(error), "calling")
    return redirect(page, 303)


def outcome(call_id: int) -> ResponseReturnValue:
    """Writes down what came of a call that was placed here."""
    calling.may_call(auth.current_user())
    picked = request.form.get("outcome", "")
    if picked not in call_outcomes.OUTCOMES:
        raise Invalid("Please pick what came of the call.")
    note = request.form.get("note", "").strip()[:_LONGEST_NOTE]
    with db.unit_of_work() as session:
        row = session.get(Call, call_id)
        element = call_outcomes.about_whom(session, row) if row is not None else None
        if row is None or row.order is None or element is None:
            raise NotFound("There is no such call.")
        order = session.get_one(CallOrder, row.order.id, with_for_update=True, populate_existing=True)
        actor = f"user:{auth.current_user().id}"
        happened = call_outcomes.pick(session, order, element, outcome=picked, note=note, actor=actor)
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        page = _page(element.__tablename__, element.id)
    return redirect(page, 303)


def _page(kind: str, row_id: int) -> str:
    """The part of a lead's, a deal's or a contact's page that is about calling them."""
    if kind == "lead":
        return url_for("console.lead", lead_id=row_id, _anchor="calling")
    return url_for(f"console.{kind}", row_id=row_id, _anchor="calling")
