"""Deleting what nothing hangs on any more."""

from __future__ import annotations

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.errors import Conflict
from models.activity import Activity
from models.attachment import Attachment
from models.call import Call
from models.company import Company
from models.contact import Contact
from models.deal import Deal, DealContact
from models.lead import Lead
from models.message import Message
from models.timeline import TimelineEntry

_COLUMNS = {"contact": "contact_id", "company": "company_id", "deal": "deal_id"}
#: Who may refer to each, and what that is called.
_HOLDERS = (
    (Lead, "leads"),
    (Deal, "deals"),
    (DealContact, "deals"),
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
    others = [c for c in ("lead_id", *_COLUMNS.values()) if c != column]
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
