"""Contacts, companies and deals: their lists, a board of deals by stage, and one of each."""

from __future__ import annotations

from typing import cast

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from core import db
from core.errors import NotFound
from crm import contacts, pipelines, timeline
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.pipeline import StageGroup
from models.timeline import TimelineEntry

_MOST, _ENTRIES = 100, 100
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
        deals = session.scalars(
            select(Deal)
            .where(Deal.pipeline_id == (line.id if line else 0), Deal.state == StageGroup.OPEN)
            .options(joinedload(Deal.owner), joinedload(Deal.contact), joinedload(Deal.company))
            .order_by(Deal.id.desc())
            .limit(500)
        ).all()
    stages = [s for s in line.stages if s.group is StageGroup.OPEN] if line else []
    columns = [(stage, [d for d in deals if d.stage_id == stage.id]) for stage in stages]
    return render_template("console/deals.html", lines=lines, line=line, columns=columns)


def one(kind: str, row_id: int) -> ResponseReturnValue:
    """One contact, company or deal, with what happened to it."""
    with db.reading() as session:
        row = cast("Contact | Company | Deal | None", session.get(_TABLES[kind], row_id))
        if row is None:
            raise NotFound(f"There is no such {kind}.")
        chosen = timeline.of(session, row).order_by(TimelineEntry.id.desc()).limit(_ENTRIES)
        entries = session.scalars(chosen).all()
        deals = (
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
        return render_template(
            "console/element.html", kind=kind, row=row, entries=entries, deals=deals, points=points
        )


def _words() -> str:
    return " ".join(request.args.get("q", "").replace("\0", " ").split())[:100]
