"""Removes what was made for a row of an import beside it, where it is untouched and nobody has use of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import Conflict
from core.savepoint import savepoint
from crm import contacts, deletion, identity, sections
from crm.imported import kinds
from crm.imported.kind import Beside
from models.company import Company
from models.contact_point import ContactPoint
from models.import_job import ImportRow
from models.lead import Lead
from models.product import Section
from models.timeline import TimelineEntry

# Whose entries also stand on its timeline, which are no touch of it itself.
_OTHERS = {"company": ("lead_id", "contact_id", "deal_id"), "contact": ("lead_id", "deal_id"), "deal": ()}


def remove(session: Session, row: ImportRow) -> None:
    """Removes the companies, sections and contact points that were made for the row, where nothing speaks
    against it: also where the row itself is kept, or was taken away by hand."""
    made = row.before or {}
    for company_id in made.get(Beside.COMPANY, ()):
        _company(session, company_id, row)
    for section_id in reversed(made.get(Beside.SECTION, ())):
        _section(session, section_id, datetime.fromisoformat(made[kinds.STAMP]))
    for point_id in made.get(Beside.POINT, ()):
        _point(session, point_id, row)


def since(session: Session, kind: str, element_id: int, row: ImportRow) -> bool:
    """Whether something happened to it itself since the row was brought in."""
    column = getattr(TimelineEntry, f"{kind}_id")
    others = [getattr(TimelineEntry, name).is_(None) for name in _OTHERS[kind]]
    newest = session.scalar(select(func.max(TimelineEntry.id)).where(column == element_id, *others)) or 0
    return newest > row.entry_id


def _company(session: Session, company_id: int, row: ImportRow) -> None:
    company = session.get(Company, company_id, with_for_update={"of": Company})
    if company is None or company.merged_into_id is not None or since(session, "company", company_id, row):
        return
    with suppress(Conflict), savepoint(session):
        deletion.delete(session, company)


def _section(session: Session, section_id: int, stamp: datetime) -> None:
    section = session.get(Section, section_id, with_for_update={"of": Section}, populate_existing=True)
    # One of this number that is younger than the row is another one.
    if section is None or section.updated_at != section.created_at or section.created_at > stamp:
        return
    with suppress(Conflict), savepoint(session):
        sections.delete(session, section)


def _point(session: Session, point_id: int, row: ImportRow) -> None:
    point = session.get(ContactPoint, point_id)
    if point is None:
        return
    identity.lock(session, [(point.kind, point.value)])  # nobody arrives by it meanwhile
    point = session.get(ContactPoint, point_id, populate_existing=True)
    if point is None:
        return
    leads = select(Lead.id).where(Lead.person_id == point.person_id)
    newest = session.scalar(select(func.max(TimelineEntry.id)).where(TimelineEntry.lead_id.in_(leads))) or 0
    told = point.bounced_at is not None or point.unsubscribed_at is not None
    # What is known of an address outlives it, and who was written to by it since is known by it.
    if told or newest > row.entry_id or contacts.of_person(session, point.person_id) is not None:
        return
    session.delete(point)
    session.flush()
