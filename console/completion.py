"""Completing a lead: what is to become of it, with what may be there already; or that it is junk."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console import auth
from core import db
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import new_id
from crm import catalogue, contacts, conversion, duplicates, leads, workspace
from crm.conversion import Into
from models.company import Company
from models.contact import Contact
from models.lead import OPEN, Lead
from models.user import Role
from rules import engine

_KINDS = ("contact", "company", "deal")


def complete(lead_id: int, *, problem: str = "") -> ResponseReturnValue:
    """What a lead is to become, with what may be there already."""
    with db.reading() as session:
        lead = session.get(Lead, lead_id)
        if lead is None or lead.status not in OPEN:
            raise NotFound("There is no such open lead.")
        known = contacts.of_person(session, lead.person_id)
        page = render_template(
            "console/complete.html",
            lead=lead,
            known=known,
            candidates=[c for c in duplicates.of_lead(session, lead) if known is None or c.kind != "contact"],
            reasons=catalogue.load(session).junk_reasons,
            problem=problem,
        )
    return page, 422 if problem else 200


def complete_post(lead_id: int) -> ResponseReturnValue:
    """Converts the lead, or puts it aside as junk."""
    if auth.current_user().role is Role.READ_ONLY:
        raise NotAllowed("You may look, and change nothing.")
    by = f"user:{auth.current_user().id}"
    kinds = frozenset(k for k in _KINDS if request.form.get(k) == "new")
    contact, company = _row(request.form.get("contact")), _row(request.form.get("company"))
    junk = request.form.get("as") == "junk"
    if not (kinds or contact or company or junk):
        return complete(lead_id, problem="Choose at least one.")
    try:
        with db.unit_of_work() as session:
            lead = session.get(Lead, lead_id, with_for_update={"of": Lead})
            if lead is None:
                raise NotFound("There is no such lead.")
            if junk:
                reason = request.form.get("reason", "")[:200]
                happened = tuple(leads.move(session, lead, "junk", actor=by, reason=reason))
            else:
                into = Into(
                    kinds,
                    contact=session.get(Contact, contact) if contact else None,
                    company=session.get(Company, company) if company else None,
                )
                happened = conversion.convert(session, lead, into=into, by=by).happenings
            engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    except (Conflict, Invalid) as error:
        named = error.fields.items() if isinstance(error, Invalid) else ()
        told = "; ".join(f"{field.strip('/')} {words}" for field, words in named)
        return complete(lead_id, problem=told or str(error))
    return redirect(url_for("console.lead", lead_id=lead_id), 303)


def _row(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None
