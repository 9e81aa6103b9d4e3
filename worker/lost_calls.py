"""Closes calls whose end was never told."""

from __future__ import annotations

from sqlalchemy import or_, select

from core import clock, db
from core.logs import logger
from intake import journal
from intake.calls import lost_end
from models.call import Call

_MOST = 200
log = logger(__name__)


def close() -> int:
    """Journals that they are over, each once; says for how many."""
    now = clock.now()
    with db.unit_of_work() as session:
        silent = session.scalars(
            select(Call)
            .where(Call.result.is_(None), Call.heard_at < now - lost_end.LONGEST_RING)
            .where(or_(Call.answered_at.is_(None), Call.heard_at < now - lost_end.LONGEST_TALK))
            .order_by(Call.heard_at)
            .limit(_MOST)
        ).all()
        entries = []
        for call in silent:
            answered = call.answered_at is not None
            key, delivery = lost_end.note(call.group_id, call.heard_at, answered=answered)
            entries.append(journal.Entry(call.source_id, lost_end.LostEnd.name, key, delivery))
        made = [r for r in journal.append(session, entries) if r.new] if entries else []
    if made:
        log.info("calls.closed", count=len(made))
    return len(made)
