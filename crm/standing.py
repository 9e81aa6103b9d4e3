"""Where we stand with somebody we know: what of theirs is open."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from models.contact import Contact
from models.deal import Deal, DealContact
from models.lead import OPEN, Lead
from models.pipeline import StageGroup


@dataclass(frozen=True, slots=True)
class Standing:
    """The person's open lead, the newest of several: what they say next is most likely about what they asked
    last. Where there is none, the open deal that something was done on last; and their contact, whether or
    not anything is open.

    Every channel goes by this: calls, mails, forms (`crm.capture`).
    """

    lead: Lead | None = None
    deal: Deal | None = None
    contact: Contact | None = None

    @property
    def element(self) -> Lead | Deal | Contact | None:
        """What a new call or mail of theirs belongs to; None for somebody of whom nothing stands."""
        return self.lead or self.deal or self.contact


def standing(session: Session, person_id: int, *, lock: bool = True) -> Standing:
    """What is open for a person. The lead, else the deal, is held until the transaction ends."""
    theirs = select(Lead).where(Lead.person_id == person_id, Lead.status.in_(OPEN))
    leads = theirs.order_by(Lead.id.desc()).limit(1)
    lead = session.scalars(leads.with_for_update(of=Lead) if lock else leads).first()
    contact = session.scalars(select(Contact).where(Contact.person_id == person_id)).one_or_none()
    deal = None
    if lead is None and contact is not None:
        deals = open_deals(contact.id).limit(1)
        deal = session.scalars(deals.with_for_update(of=Deal) if lock else deals).first()
    return Standing(lead, deal, contact)


def open_deals(contact_id: int) -> Select[Deal]:
    """The open deals that a contact has a part in, the one that something was done on last first."""
    taking_part = select(DealContact.deal_id).where(DealContact.contact_id == contact_id)
    return (
        select(Deal)
        .where(
            Deal.state == StageGroup.OPEN,
            or_(Deal.contact_id == contact_id, Deal.id.in_(taking_part)),
        )
        .order_by(Deal.updated_at.desc(), Deal.id.desc())
    )
