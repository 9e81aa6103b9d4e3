"""Leads that the present transaction has made, as long as nothing that is to be done hangs on them.

Whoever gives one to somebody need not ask the database for what goes with it.
"""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from models.lead import Lead

_KEPT = "crm.newborn"


def born(session: Session, lead: Lead) -> None:
    """The lead has just been made."""
    session.info.setdefault(_KEPT, set()).add(lead.id)


def laden(session: Session, lead_id: int | None) -> None:
    """An activity hangs on the lead, or may."""
    session.info.get(_KEPT, set()).discard(lead_id)


def is_bare(session: Session, lead: Lead) -> bool:
    """Whether no activity can hang on the lead."""
    return lead.id in session.info.get(_KEPT, ())


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_KEPT, None)
