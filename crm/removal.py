"""Takes leads out of the database, with all that hangs on them: what an import made, and what is erased."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from models.activity import Activity
from models.attachment import Attachment
from models.call import Call
from models.consent import ConsentGiven
from models.contact import Contact
from models.contact_point import ContactPoint, Person
from models.deal import Deal
from models.domain_event import DomainEvent
from models.inbound import InboundEvent
from models.lead import Lead
from models.message import Message
from models.notification import Notification
from models.offer import Offer
from models.rule import Run, StepRow, Trace
from models.sla import SlaClock
from models.storm import Storm
from models.timeline import TimelineEntry
from models.webhook import WebhookDelivery


def remove(session: Session, lead_ids: Sequence[int]) -> None:
    """Removes these leads and what only they have: timeline, activities, runs, and people nobody else needs.

    Calls, mails, deals and events of the journal stay, without the lead.
    """
    ids = list(lead_ids)
    if not ids:
        return
    people = list(session.scalars(select(Lead.person_id).where(Lead.id.in_(ids))))
    for about_deals in (Run, Trace):
        kept_on = about_deals.lead_id.in_(ids), about_deals.deal_id.is_not(None)
        session.execute(update(about_deals).where(*kept_on).values(lead_id=None))
    runs = select(Run.id).where(Run.lead_id.in_(ids))
    session.execute(delete(StepRow).where(StepRow.run_id.in_(runs)))
    for table in (
        *(Run, Trace, Activity, TimelineEntry, Attachment, ConsentGiven, Offer, SlaClock),
        *(DomainEvent, WebhookDelivery, Notification, Storm),
    ):
        session.execute(delete(table).where(table.lead_id.in_(ids)))
    for kept in (Call, InboundEvent, Deal, Message):
        session.execute(update(kept).where(kept.lead_id.in_(ids)).values(lead_id=None))
    session.execute(update(Lead).where(Lead.merged_into_id.in_(ids)).values(merged_into_id=None))
    session.execute(delete(Lead).where(Lead.id.in_(ids)))
    needed = exists().where(Lead.person_id == Person.id), exists().where(Contact.person_id == Person.id)
    gone = select(Person.id).where(Person.id.in_(people), ~or_(*needed))
    alone = list(session.scalars(gone))
    session.execute(delete(ContactPoint).where(ContactPoint.person_id.in_(alone)))
    session.execute(delete(Person).where(Person.id.in_(alone)))
    session.expire_all()
