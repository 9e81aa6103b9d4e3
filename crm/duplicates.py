"""Who or what may be there already: by address and number, then by name, with a fuzzy measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from crm.contact_points import email_point
from crm.similar_names import Names, same_firm
from models.company import Company
from models.contact import Contact
from models.contact_point import ContactPoint, PointKind
from models.lead import OPEN, Lead

T = TypeVar("T", Contact, Company)
_MOST = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may be the same; `score` in per cent, `why` in words."""

    kind: str
    id: int
    name: str
    score: int
    why: str


def of_lead(session: Session, lead: Lead) -> list[Candidate]:
    """The contacts and companies that a lead may be about, the likeliest first."""
    found = contacts(
        session,
        name=lead.name,
        company=lead.company or "",
        emails=[lead.email] if lead.email else [],
        phones=[lead.phone] if lead.phone else [],
    )
    domain = (lead.email or "").rpartition("@")[2] or None
    return found + companies(session, name=lead.company or "", domain=domain)


def of(session: Session, element: Lead | Contact | Company, names: Names | None = None) -> list[Candidate]:
    """Others of its kind that may be the same, the likeliest first.

    Who asks for many elements gives the same `names` each time: they are read once then.
    """
    names = names or Names(session)
    if isinstance(element, Company):
        domain = element.domain or (element.email or "").rpartition("@")[2] or None
        return companies(session, name=element.name, domain=domain, but=element.id, names=names)
    emails = [element.email] if element.email else []
    phones = [element.phone] if element.phone else []
    if isinstance(element, Lead):
        return leads(session, element, names)
    points = session.scalars(select(ContactPoint).where(ContactPoint.person_id == element.person_id)).all()
    emails += [p.value for p in points if p.kind is PointKind.EMAIL]
    phones += [p.value for p in points if p.kind is PointKind.PHONE]
    company = element.company.name if element.company else ""
    return contacts(
        session,
        name=element.name,
        company=company,
        emails=emails,
        phones=phones,
        but=element.id,
        names=names,
    )


def leads(session: Session, lead: Lead, names: Names) -> list[Candidate]:
    """Open leads that may be the same enquiry: of the person, with an address or number, or alike in name."""
    same = [Lead.person_id == lead.person_id]
    same += [Lead.email.in_([lead.email, lead.email.lower()])] if lead.email else []
    same += [Lead.phone == lead.phone] if lead.phone else []
    others = select(Lead).where(Lead.status.in_(OPEN), Lead.id != lead.id)
    found: dict[int, Candidate] = {}
    for row in session.scalars(others.where(or_(*same)).order_by(Lead.id.desc()).limit(_MOST)):
        why = "the same person" if row.person_id == lead.person_id else "the same address or number"
        found[row.id] = Candidate("lead", row.id, row.name or row.title, 100, why)
    for like in names.leads(lead.name):
        both = bool(lead.company and like.company)
        if like.id == lead.id or (both and not same_firm(lead.company or "", like.company or "")):
            continue
        why = "a similar name and company" if both else "a similar name"
        found.setdefault(like.id, Candidate("lead", like.id, like.name, like.score, why))
    return _best(found.values())


def contacts(
    session: Session,
    *,
    name: str,
    company: str = "",
    emails: Sequence[str] = (),
    phones: Sequence[str] = (),
    but: int | None = None,
    names: Names | None = None,
) -> list[Candidate]:
    """Contacts who may be this person."""
    found: dict[int, Candidate] = {}
    values = [email_point(e)[1] for e in emails] + list(phones)
    if values:
        persons = select(ContactPoint.person_id).where(ContactPoint.value.in_(values))
        sure: ColumnElement[bool] = or_(Contact.person_id.in_(persons), Contact.phone.in_(list(phones)))
        for contact in session.scalars(_there(Contact).where(sure).limit(_MOST)):
            found[contact.id] = Candidate(
                "contact", contact.id, contact.name, 100, "the same address or number"
            )
    for like in (names or Names(session)).contacts(name):
        both = bool(company and like.company)
        if both and not same_firm(company, like.company or ""):
            continue
        why = "a similar name and company" if both else "a similar name"
        found.setdefault(like.id, Candidate("contact", like.id, like.name, like.score, why))
    return _best(c for c in found.values() if c.id != but)


def companies(
    session: Session,
    *,
    name: str,
    domain: str | None = None,
    but: int | None = None,
    names: Names | None = None,
) -> list[Candidate]:
    """Companies that may be this one."""
    found: dict[int, Candidate] = {}
    if domain:
        chosen = _there(Company).where(Company.domain == domain.lower()).limit(_MOST)
        for company in session.scalars(chosen):
            found[company.id] = Candidate(
                "company", company.id, company.name, 100, f"has the domain {domain}"
            )
    for like in (names or Names(session)).companies(name):
        found.setdefault(like.id, Candidate("company", like.id, like.name, like.score, "a similar name"))
    return _best(c for c in found.values() if c.id != but)


def _there(table: type[T]) -> Select[T]:
    return select(table).where(table.merged_into_id.is_(None))


def _best(found: Iterable[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda c: (-c.score, c.id))[:_MOST]
