"""Looks for what is there twice: at what is new within seconds, at what was changed once a day.

While enquiries wait it looks at a few only: it is for the machine's idle moments.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from core import clock, db
from crm import duplicate_pairs
from crm.duplicate_pairs import Swept
from crm.merging import TABLES
from intake import claims
from models.inbound import InboundEvent

_AT_ONCE = 20
_MOST = 400
_WAITED = timedelta(seconds=1)


def sweep(most: int | None = _MOST) -> dict[str, Swept]:
    """Looks at what is new and changed, at most so many of each kind; answers what was done, by kind."""
    return {kind: _sweep(kind, most) for kind in TABLES}


def _sweep(kind: str, most: int | None) -> Swept:
    looked_at = found = 0
    while most is None or looked_at < most:
        with db.reading() as session:
            seen = duplicate_pairs.look(session, kind, most=_AT_ONCE)
        if seen.changes_nothing:
            break
        with db.unit_of_work(durable=False) as session:
            swept = duplicate_pairs.record(session, seen)
        looked_at, found = looked_at + swept.looked_at, found + swept.found
        if not swept.looked_at or (most is not None and _others_wait()):
            break
    return Swept(looked_at, found)


def _others_wait() -> bool:
    now = clock.now()
    with db.reading() as session:
        late = select(InboundEvent.id).where(claims.waiting(now), InboundEvent.retry_at <= now - _WAITED)
        return session.scalar(late.limit(1)) is not None
