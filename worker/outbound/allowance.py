"""How many mails a mailbox may send: counted in the database, by all workers together and over restarts."""

from __future__ import annotations

from datetime import timedelta

from limits import parse_many
from sqlalchemy import delete, func, select

from core import clock, db
from models.sent_count import SentCount
from models.source import Source


def exceeded(source_id: int, rate: str) -> str | None:
    """Which of the rates one more mail would go beyond, such as `100 per 1 hour`; None counts it."""
    rates, now = parse_many(rate), clock.now()
    mine = SentCount.source_id == source_id
    with db.unit_of_work(durable=False) as session:
        # One after the other; what comes in for the mailbox meanwhile is not held up.
        session.get(Source, source_id, with_for_update={"key_share": True})
        longest = timedelta(seconds=max(item.get_expiry() for item in rates))
        session.execute(delete(SentCount).where(mine, SentCount.at <= now - longest))
        for item in rates:
            since = now - timedelta(seconds=item.get_expiry())
            counted = session.scalar(select(func.count()).where(mine, SentCount.at > since))
            if (counted or 0) >= item.amount:
                return str(item)
        session.add(SentCount(source_id=source_id, at=now))
    return None
