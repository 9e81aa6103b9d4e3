"""The elements of the CRM, and the columns by which everything else hangs on them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from models.activity import Activity
from models.attachment import Attachment
from models.call import Call
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import OPEN, Lead
from models.message import Message
from models.timeline import TimelineEntry

#: The tables whose rows hang on elements, by `lead_id`, `contact_id` and `deal_id`, most by
#: `company_id` too.
HANGING = (Activity, TimelineEntry, Call, Attachment, Message)
Element = Lead | Contact | Company | Deal


@dataclass(frozen=True, slots=True)
class Place:
    """Where something that happens to an element stands: on the element, and on those around it."""

    lead_id: int | None = None
    contact_id: int | None = None
    company_id: int | None = None
    deal_id: int | None = None

    def columns(self) -> dict[str, int]:
        """What is known of it, by the column's name."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


def place_of(element: Element) -> Place:
    """The element's place. What happens to a lead or a deal is also its contact's and its company's."""
    if isinstance(element, Lead):
        return Place(lead_id=element.id, contact_id=element.contact_id, company_id=element.company_id)
    if isinstance(element, Deal):
        return Place(deal_id=element.id, contact_id=element.contact_id, company_id=element.company_id)
    if isinstance(element, Contact):
        return Place(contact_id=element.id, company_id=element.company_id)
    return Place(company_id=element.id)


def element_of(session: Session, row: Activity | Call) -> Element | None:
    """What a row is about now: its deal, its open lead, its contact or company, or the lead it was."""
    lead = session.get(Lead, row.lead_id) if row.lead_id is not None else None
    if row.deal_id is not None:
        return session.get(Deal, row.deal_id)
    if lead is not None and lead.status in OPEN:
        return lead
    if row.contact_id is not None:
        return session.get(Contact, row.contact_id)
    return session.get(Company, row.company_id) if row.company_id is not None else lead


def person_id_of(element: Element | None) -> int | None:
    """The person that an element is about; None where nobody is known by it."""
    if isinstance(element, Lead | Contact):
        return element.person_id
    if isinstance(element, Deal):
        of_contact = element.contact.person_id if element.contact else None
        return of_contact or (element.lead.person_id if element.lead else None)
    return None
