"""Asks, once a day, for each mailbox to be compared with the journal; its watcher does it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from core import clock, db
from intake.mailbox import desk
from models.mailbox import WatchedMailbox
from models.source import Channel, Source

EVERY = timedelta(days=1)


def ask() -> int:
    """Asks for those whose day is over; says for how many."""
    before = clock.now() - EVERY
    with db.unit_of_work() as session:
        chosen = (
            select(Source.id)
            .outerjoin(WatchedMailbox, WatchedMailbox.source_id == Source.id)
            .where(Source.channel == Channel.EMAIL, Source.active)
            .where(WatchedMailbox.reconcile_asked_at.is_(None) | (WatchedMailbox.reconcile_asked_at < before))
        )
        ids = session.scalars(chosen).all()
        for source_id in ids:
            desk.ask_reconciliation(session, source_id)
    return len(ids)
