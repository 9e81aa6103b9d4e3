"""Contacts, companies and deals: their lists, a board of deals by stage, and one of each."""

from __future__ import annotations

from typing import cast

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from console import activities, auth, deal_templates, deals, leads, merging, placed, queries, timelines
from core import db
from core.errors import NotFound
from crm import attachments, contacts, messages, pipelines
from crm.call_outcomes import OUTCOMES
from intake import calling
from models.company import Company
from models.contact import Contact
from models.contact_point import PointKind
from models.deal import Deal
from models.pipeline import StageGroup
from models.user import Role

_MOST = 100
_TABLES: dict[str, type[Contact | Company | Deal]] = {
    "contact": Contact,
    "company": Company,
    "deal": Deal,
}


def all_contacts() -> ResponseReturnValue:
    """The newest contacts, or those whose name or address has the words."""
    asked = _words()
    chosen = select(Contact).where(Contact.merged_into_id.is_(None))
    if asked:
        chosen = chosen.where(
            Contact.name.icontains(asked, autoescape=True) | Contact.email.icontains(asked, autoescape=True)
        )
    chosen = chosen.options(joinedload(Contact.company), joinedload(Contact.owner))
    with db.reading() as session:
        rows = session.scalars(chosen.order_by(Contact.id.desc()).limit(_MOST)).all()
    return render_template("console/contacts.html", rows=rows, asked=asked)


def all_companies() -> ResponseReturnValue:
    """The newest companies, or those whose name has the words."""
    asked = _words()
    chosen = select(Company).where(Company.merged_into_id.is_(None)).options(joinedload(Company.owner))
    if asked:
        chosen = chosen.where(Company.name.icontains(asked, autoescape=True))
    with db.reading() as session:
        rows = session.scalars(chosen.order_by(Company.id.desc()).limit(_MOST)).all()
    return render_template("console/companies.html", rows=rows, asked=asked)


def board() -> ResponseReturnValue:
    """The open deals of a pipeline, stage by stage."""
    with db.reading() as session:
        lines = pipelines.all_pipelines(session)
        line = next((p for p in lines if p.key == request.args.get("pipeline")), lines[0] if lines else None)
        found = session.scalars(
            select(Deal)
            .where(Deal.pipeline_id == (line.id if line else 0), Deal.state == StageGroup.OPEN)
            .options(joinedload(Deal.owner), joinedload(Deal.contact), joinedload(Deal.company))
            .order_by(Deal.id.desc())
            .limit(500)
        ).all()
    stages = [s for s in line.stages if s.group is StageGroup.OPEN] if line else []
    columns = [(stage, [d for d in found if d.stage_id == stage.id]) for stage in stages]
    return render_template("console/deals.html", lines=lines, line=line, columns=columns)


def one(kind: str, row_id: int) -> ResponseReturnValue:
    """One contact, company or deal, with what happened to it."""
    with db.reading() as session:
        row = cast("Contact | Company | Deal | None", session.get(_TABLES[kind], row_id))
        if row is None:
            raise NotFound(f"There is no such {kind}.")
        if not isinstance(row, Deal) and row.merged_into_id is not None:
            return redirect(url_for(f"console.{kind}", row_id=row.merged_into_id), 303)
        told = timelines.view(session, row, before=leads.number(request.args.get("before")))
        entries = [*told["pinned"], *told["entries"]]
        theirs = (
            []
            if isinstance(row, Deal)
            else session.scalars(
                select(Deal)
                .where((Deal.contact_id if kind == "contact" else Deal.company_id) == row_id)
                .options(joinedload(Deal.stage))
                .order_by(Deal.id.desc())
                .limit(_MOST)
            ).all()
        )
        points = contacts.points(session, row) if isinstance(row, Contact) else []
        may_call = not isinstance(row, Company) and calling.may_place(session, auth.current_user())
        order = None if isinstance(row, Company) else queries.call_order(session, row)
        return render_template(
            "console/element.html",
            kind=kind,
            row=row,
            **told,
            calls=queries.calls(session, entries),
            users=queries.names(session, leads.user_ids(entries)),
            deals=theirs,
            points=points,
            may_call=may_call,
            callable=_callable(session, row) if may_call else [],
            call_to=url_for(f"console.call_{kind}", row_id=row_id) if may_call else None,
            order=order,
            progress=placed.progress(order) if order is not None else None,
            outcomes=OUTCOMES,
            unsent=[] if isinstance(row, Company) else messages.unsent(session, row),
            files=[] if isinstance(row, Company) else attachments.of_element(session, row),
            planned=queries.planned(session, row_id, kind),
            over=queries.over(session, row_id, kind),
            may_write=auth.current_user().role is not Role.READ_ONLY,
            plan_url=url_for(f"console.{kind}_plan", row_id=row_id),
            **activities.choices(session),
            **(deals.view(session, row) | deal_templates.view(session, row) if isinstance(row, Deal) else {}),
            merges=[] if isinstance(row, Deal) else merging.merges_of(session, row),
        )


def _callable(session: Session, row: Contact | Company | Deal) -> list[str]:
    """The numbers that can be called: the contact's, their own first."""
    contact = row.contact if isinstance(row, Deal) else row
    if not isinstance(contact, Contact):
        return []
    points = (p.value for p in contacts.points(session, contact) if p.kind is PointKind.PHONE)
    return list(dict.fromkeys(number for number in (contact.phone, *points) if number))


def _words() -> str:
    return " ".join(request.args.get("q", "").replace("\0", " ").split())[:100]
