"""From a lead to what became of it: a contact, a company, a deal, any of them, new or there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.errors import Conflict
from crm import companies, contacts, deals, duplicates, leads, similar_names, timeline
from crm.element import HANGING
from crm.found import marked
from crm.happening import Happening
from crm.standing import open_deals
from models.company import Company
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal import Deal
from models.lead import OPEN, STRAIGHT, Lead, LeadStatus


@dataclass(frozen=True, slots=True)
class Into:
    """What a lead is to become: new ones (`kinds`, with further values), or part of what is there."""

    kinds: frozenset[str] = frozenset({"contact", "deal"})
    contact: Contact | None = None
    company: Company | None = None
    deal: Deal | None = None
    contact_values: Mapping[str, Any] = field(default_factory=dict)
    company_values: Mapping[str, Any] = field(default_factory=dict)
    deal_values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of the lead, and what happened by it."""

    contact: Contact | None
    company: Company | None
    deal: Deal | None
    happenings: tuple[Happening, ...]


def convert(
    session: Session, lead: Lead, *, into: Into, by: str, reason: str = "", quietly: bool = False
) -> Conversion:
    """Converts an open lead; what hangs on it follows. The person's contact is used where there is one.

    `quietly` tells of no change of status, so that what waits on the lead goes on waiting. Raises
    Conflict for a lead that is closed, and for a contact who is somebody else by their addresses.
    """
    if lead.status not in OPEN:
        raise Conflict(_closed(lead))
    company = into.company
    if company is None and "company" in into.kinds:
        company = _new_company(session, lead, into, by)
    contact = _contact(session, lead, into, company, by)
    deal = into.deal
    made: list[Happening] = []
    if deal is None and "deal" in into.kinds:
        deal = _new_deal(session, lead, into, contact, company, by)
        made = deals.told(deal, "deal.created", {})
    elif deal is not None:
        _onto_deal(deal, lead, contact, company)
    lead.contact_id = contact.id if contact else lead.contact_id
    lead.company_id = company.id if company else contact.company_id if contact else lead.company_id
    happened = leads.change_status(session, lead, LeadStatus.CONVERTED, actor=by, reason=reason)
    _follow(session, lead, deal)
    session.flush()
    what = [
        f"{kind} {found.id}"
        for kind, found in (("contact", contact), ("company", company), ("deal", deal))
        if found is not None
    ]
    data = {
        "contact_id": contact.id if contact else None,
        "company_id": company.id if company else None,
        "deal_id": deal.id if deal else None,
    }
    entry = timeline.record(
        session,
        lead,
        kind="converted",
        summary=f"Converted into {', '.join(what)}",
        actor=by,
        data=data,
    )
    entry.deal_id = deal.id if deal else None
    told = [Happening("lead.converted", lead, data, deal=deal), *made]
    return Conversion(contact, company, deal, tuple(told if quietly else [*happened, *told]))


def straight(session: Session, lead: Lead, *, by: str = timeline.SERVICE) -> list[Happening]:
    """In a workspace that goes straight to deals: makes an open lead a contact and a deal.

    A person with an open deal gets no second one; their company is one that is there already.
    """
    if lead.status not in OPEN:
        return []
    known = contacts.held(session, lead.person_id)
    deal = session.scalars(open_deals(known.id).limit(1)).first() if known else None
    company = None
    if lead.company and (known is None or known.company_id is None):
        found = duplicates.companies(session, name=lead.company)
        same = [c for c in found if similar_names.firm(c.name) == similar_names.firm(lead.company)]
        company = session.get(Company, same[0].id) if len(same) == 1 else None
    into = Into(contact=known, company=company, deal=deal)
    return list(convert(session, lead, into=into, by=by, reason=STRAIGHT, quietly=True).happenings)


def reopen(session: Session, lead: Lead, *, by: str) -> list[Happening]:
    """Makes a closed lead an open one again. What became of it stays.

    Raises Conflict for a lead that is open, and for one that is part of another.
    """
    if lead.status in OPEN:
        raise Conflict("the lead is open")
    if lead.status is LeadStatus.MERGED:
        raise Conflict(f"the lead is part of lead {lead.merged_into_id} now")
    return leads.change_status(session, lead, LeadStatus.IN_PROGRESS, actor=by, reason="reopened")


def deals_of(session: Session, lead: Lead) -> list[Deal]:
    """The deals that came from a lead, the first one first."""
    return list(session.scalars(select(Deal).where(Deal.lead_id == lead.id).order_by(Deal.id)))


def _closed(lead: Lead) -> str:
    if lead.status is LeadStatus.MERGED:
        return f"the lead is part of lead {lead.merged_into_id} now"
    return f"the lead is {lead.status.value} already; it has to be reopened first"


def _new_company(session: Session, lead: Lead, into: Into, by: str) -> Company:
    values = {"owner_id": lead.owner_id, "source_id": lead.source_id, **into.company_values}
    name = values.pop("name", None) or lead.company or lead.name or lead.title
    return companies.create(session, name=name, actor=by, **values)


def _contact(session: Session, lead: Lead, into: Into, company: Company | None, by: str) -> Contact | None:
    known = contacts.held(session, lead.person_id)
    if into.contact is not None:
        if known is not None and known.id != into.contact.id:
            raise Conflict(f"by their addresses they are contact {known.id}: {known.name}")
        if known is None:
            _be_one(session, lead, into.contact)
        known = into.contact
    elif known is None and "contact" in into.kinds:
        values = {
            "email": lead.email,
            "phone": lead.phone,
            "owner_id": lead.owner_id,
            "source_id": lead.source_id,
            "company_id": company.id if company else None,
            "consent": lead.consent,
            "position": marked(lead).get("role"),
            **into.contact_values,
        }
        name = values.pop("name", None) or lead.name or lead.email or lead.phone or lead.title
        return contacts.make(session, lead.person_id, name=name, actor=by, **values)
    if known is not None:
        # What stands on a contact is not overwritten; only what was empty is filled.
        known.email, known.phone = known.email or lead.email, known.phone or lead.phone
        known.owner_id = known.owner_id or lead.owner_id
        known.position = known.position or marked(lead).get("role")
        known.company_id = known.company_id or (company.id if company else None)
        known.consent = lead.consent if known.consent is None else known.consent or bool(lead.consent)
    return known


def _be_one(session: Session, lead: Lead, contact: Contact) -> None:
    """The lead's person turns out to be the contact: addresses, numbers and leads are the contact's now."""
    theirs, ours = lead.person_id, contact.person_id
    if ours is None:
        raise Conflict(f"contact {contact.id} is part of contact {contact.merged_into_id} now")
    session.flush()
    for table in (ContactPoint, Lead):
        session.execute(update(table).where(table.person_id == theirs).values(person_id=ours))
    lead.person_id = ours


def _new_deal(
    session: Session, lead: Lead, into: Into, contact: Contact | None, company: Company | None, by: str
) -> Deal:
    values = {"owner_id": lead.owner_id, "source_id": lead.source_id, "tags": lead.tags, **into.deal_values}
    return deals.create(
        session,
        title=values.pop("title", None) or lead.title,
        actor=by,
        lead=lead,
        contact=contact,
        company_id=company.id if company else None,
        **values,
    )


def _onto_deal(deal: Deal, lead: Lead, contact: Contact | None, company: Company | None) -> None:
    deal.contact_id = deal.contact_id or (contact.id if contact else None)
    deal.company_id = deal.company_id or (company.id if company else None)
    if deal.lead_id is None:
        deal.lead_id, deal.lead = lead.id, lead


def _follow(session: Session, lead: Lead, deal: Deal | None) -> None:
    """All that hangs on the lead hangs on what became of it too."""
    found = {
        "contact_id": lead.contact_id,
        "company_id": lead.company_id,
        "deal_id": deal.id if deal else None,
    }
    values = {column: value for column, value in found.items() if value is not None}
    session.flush()
    if values:
        for table in HANGING:
            known = {c: v for c, v in values.items() if c in table.__table__.columns}
            session.execute(update(table).where(table.lead_id == lead.id).values(**known))
