"""What is noted of a mailbox as a whole, and what is asked of its watcher. In the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from models.mailbox import WatchedMailbox

WATCHING, INTERRUPTED, STOPPED = "watching", "interrupted", "stopped"


def row_of(session: Session, source_id: int) -> WatchedMailbox:
    """The mailbox's row, locked; made where there is none."""
    row = session.get(WatchedMailbox, source_id, with_for_update=True)
    if row is None:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        fresh = {"source_id": source_id, "state": "", "error": "", "token": {}}
        session.execute(dialect.insert(WatchedMailbox).values(fresh).on_conflict_do_nothing())
        row = session.get_one(WatchedMailbox, source_id, with_for_update=True)
    return row


def note(session: Session, source_id: int, state: str, error: str = "") -> None:
    """How it stands. Of several folders the worst counts: trouble in one is not hidden by the others."""
    row, now = row_of(session, source_id), clock.now()
    if row.state != state:
        row.state_since = now
    row.state, row.error, row.seen_at = state, error[:500], now


def wake(session: Session, source_id: int) -> None:
    """Asks for a stopped mailbox to be tried again."""
    row_of(session, source_id).wake_asked_at = clock.now()


def ask_reconciliation(session: Session, source_id: int) -> datetime:
    """Asks for what the server holds to be compared with the journal; says when it was asked."""
    row = row_of(session, source_id)
    row.reconcile_asked_at = now = clock.now()
    row.wake_asked_at = now if row.state == STOPPED else row.wake_asked_at
    return now
