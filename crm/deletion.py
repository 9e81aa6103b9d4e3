"""Deleting what nothing hangs on any more."""

from __future__ import annotations

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from core.errors import Conflict
from models.activity import Activity
from models.attachment import Attachment
from models.call import Call
from models.company import Company
from models.contact import Contact
from models.deal import Deal, DealContact
from models.deal_template import DealTemplate
from models.duplicate import DuplicatePair
from models.lead import Lead
from models.message import Message
from models.notification import Notification
from models.rule import Run, StepRow, Trace
from models.storm import Storm
from models.timeline import TimelineEntry

_COLUMNS = {"contact": "contact_id", "company": "company_id", "deal": "deal_id"}
#: Who may refer to each, and what that is called.
_HOLDERS = (
    (Lead, "leads"),
    (Deal, "deals"),
    (DealContact, "deals"),
    (DealTemplate, "deal templates"),
    (Contact, "contacts"),
    (Call, "calls"),
    (Message, "mails"),
    (Attachment, "files"),
)


def delete(session: Session, element: Contact | Company | Deal) -> None:
    """Deletes an element with its timeline and activities; contact points stay with their person.

    What also happened to others stays on theirs. Raises Conflict where something else hangs on it.
    """
    column = _COLUMNS[element.__tablename__]
    for table, words in _HOLDERS:
        own = isinstance(element, table) or (isinstance(element, Deal) and table is DealContact)
        if own or column not in table.__table__.columns:
            continue
        held = session.scalar(
            select(func.count()).select_from(table).where(getattr(table, column) == element.id)
        )
        if held:
            raise Conflict(f"{held} {words} hang on it")
    if not isinstance(element, Deal):
        part = Contact.merged_into_id if isinstance(element, Contact) else Company.merged_into_id
        if session.scalar(select(part).where(part == element.id).limit(1)) is not None:
            raise Conflict("others are part of it")
        pair = or_(DuplicatePair.first_id == element.id, DuplicatePair.second_id == element.id)
        kind = column.removesuffix("_id")
        session.execute(sql_delete(DuplicatePair).where(DuplicatePair.kind == kind, pair))
    others = [c for c in ("lead_id", *_COLUMNS.values()) if c != column]
    if isinstance(element, Deal | Contact):
        # What rules did about it and nothing else goes with it; what a lead's trace tells stays there.
        runs = select(Run.id).where(getattr(Run, column) == element.id)
        session.execute(sql_delete(StepRow).where(StepRow.run_id.in_(runs)))
        session.execute(sql_delete(Run).where(getattr(Run, column) == element.id))
        for told_of in (Notification, Storm):
            session.execute(sql_delete(told_of).where(getattr(told_of, column) == element.id))
        told = getattr(Trace, column) == element.id
        session.execute(sql_delete(Trace).where(told, Trace.lead_id.is_(None)))
        session.execute(update(Trace).where(told).values({column: None}))
    for row in (Activity, TimelineEntry):
        mine = getattr(row, column) == element.id
        alone = [getattr(row, other).is_(None) for other in others]
        if isinstance(element, Deal):
            # A deal's own story goes with it, also where it stands on its contact's timeline.
            alone = [row.lead_id.is_(None)]
        session.execute(sql_delete(row).where(mine, *alone))
        session.execute(update(row).where(mine).values({column: None}))
    session.delete(element)
    session.flush()
