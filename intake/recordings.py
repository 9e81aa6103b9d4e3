"""Which recordings a call has; they are fetched afterwards."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from crm.call_view import recordings_of
from models.call import Call
from models.recording import Recording, RecordingState

# No call has more than that which are worth keeping.
_MOST = 20


def note(session: Session, call: Call) -> None:
    """Writes down what is to be fetched, each recording once."""
    said = recordings_of(call.facts)[:_MOST]
    if not said:
        return
    known = set(session.scalars(select(Recording.said).where(Recording.call_id == call.id)))
    for address in said:
        if address not in known:
            now = clock.now()
            row = Recording(
                call_id=call.id, said=address, state=RecordingState.WAITING, due_at=now, created_at=now
            )
            session.add(row)
            session.flush()
            queue.wake(session, queue.FETCH_RECORDING, row.id)
