"""What a run is on: a lead, a deal, a contact, or nothing; and how its rows say so."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from crm.happening import Happening
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.rule import Run, StepRow

#: What rules run on.
Subject = Lead | Deal | Contact


def columns(subject: Subject | None) -> dict[str, int | None]:
    """The columns of a run or a trace that is about it."""
    if isinstance(subject, Deal):
        return {"lead_id": subject.lead_id, "deal_id": subject.id}
    if isinstance(subject, Contact):
        return {"contact_id": subject.id}
    if subject is None:
        return {"lead_id": None}
    return {"lead_id": subject.merged_into_id or subject.id}


def key(subject: Subject | None) -> str:
    """The same for the same element, another for each other one."""
    if subject is None:
        return ""
    return str(subject.id) if isinstance(subject, Lead) else f"{subject.__tablename__} {subject.id}"


def words(subject: Subject | None) -> str:
    """What it is, in a word."""
    return "occasion" if subject is None else subject.__tablename__


def runs_on(subject: Subject | None) -> tuple[ColumnElement[bool], ...]:
    """Which runs are on just this."""
    if isinstance(subject, Deal):
        return (Run.deal_id == subject.id,)
    if isinstance(subject, Contact):
        return (Run.contact_id == subject.id,)
    if subject is None:
        return (Run.lead_id.is_(None), Run.deal_id.is_(None), Run.contact_id.is_(None))
    return (Run.lead_id == subject.id, Run.deal_id.is_(None))


def runs_that_hear(happening: Happening) -> ColumnElement[bool] | None:
    """Which runs may wait for it: those of its lead, of its deal, of its contact. None: there can be none."""
    heard: list[ColumnElement[bool]] = []
    if happening.lead is not None:
        heard.append(Run.lead_id == happening.lead.id)
    if happening.deal is not None:
        heard.append(Run.deal_id == happening.deal.id)
    if isinstance(happening.element, Contact):
        heard.append(Run.contact_id == happening.element.id)
    return or_(*heard) if heard else None


def of_run(run: Run) -> Subject | None:
    """What a run is on."""
    return run.deal or run.lead or run.contact


def hold(session: Session, step_id: int) -> bool:
    """Takes the rows of what a step's run is on, in the one order there is: lead, deal, contact.

    Whoever brings what a run waits for holds them, too. Says whether there is such a step.
    """
    chosen = select(Run.lead_id, Run.deal_id, Run.contact_id).join(Run.steps).where(StepRow.id == step_id)
    found = session.execute(chosen).first()
    if found is None:
        return False
    hold_rows(session, found.lead_id, found.deal_id, found.contact_id)
    return True


def hold_rows(session: Session, lead_id: int | None, deal_id: int | None, contact_id: int | None) -> None:
    """Takes these rows, in the one order there is."""
    if lead_id is not None:
        session.get_one(Lead, lead_id, with_for_update=True, populate_existing=True)
    if deal_id is not None:
        session.get_one(Deal, deal_id, with_for_update={"of": Deal}, populate_existing=True)
    if contact_id is not None:
        session.get_one(Contact, contact_id, with_for_update={"of": Contact}, populate_existing=True)
