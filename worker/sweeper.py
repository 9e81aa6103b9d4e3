"""Finds what waits in the database and was never rung, or whose worker died, and rings for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select

from core import clock, db, queue
from intake import import_jobs, journal
from models.inbound import InboundEvent
from models.message import Message
from models.rule import StepRow, StepState
from rules import runs
from worker import dialling, line_checks, mailing, recordings, webhooks

#: Events younger than this are still on their way through the doorbell.
_PATIENCE = timedelta(seconds=1)
#: Rung again after so many seconds, if still waiting.
_AGAIN = 5.0
_MOST = 500


class Sweeper:
    """Remembers what it rang, so that a backlog is not rung for every second."""

    def __init__(self) -> None:
        self._rung: dict[queue.Wake, float] = {}

    def events(self) -> int:
        """Rings for events that wait; says for how many."""
        now = clock.now()
        with db.reading() as session:
            ids = session.scalars(
                select(InboundEvent.id)
                .where(journal.waiting(now), InboundEvent.retry_at <= now - _PATIENCE)
                .order_by(InboundEvent.retry_at)
                .limit(_MOST)
            ).all()
        return self._ring(queue.PROCESS_EVENT, ids)

    def steps(self) -> int:
        """Rings for steps that are due; says for how many."""
        now = clock.now()
        with db.reading() as session:
            rows = session.execute(
                select(StepRow.id, StepRow.state).where(runs.due(now)).order_by(StepRow.due_at).limit(_MOST)
            ).all()
        waits = [row.id for row in rows if row.state is StepState.WAITING]
        others = [row.id for row in rows if row.state is not StepState.WAITING]
        return self._ring(queue.GO_ON, waits) + self._ring(queue.RUN_STEP, others)

    def mails(self) -> int:
        """Rings for mails by hand that are to be sent; says for how many."""
        with db.reading() as session:
            ids = session.scalars(
                select(Message.id).where(mailing.due(clock.now())).order_by(Message.due_at).limit(_MOST)
            ).all()
        return self._ring(queue.SEND_MAIL, ids)

    def recordings(self) -> int:
        """Rings for recordings that are to be fetched; says for how many."""
        return self._ring(queue.FETCH_RECORDING, recordings.due())

    def calls(self) -> int:
        """Rings for calls that are to be placed; says for how many."""
        return self._ring(queue.PLACE_CALL, dialling.due())

    def lines(self) -> int:
        """Rings for lines that are to be checked; says for how many."""
        return self._ring(queue.CHECK_LINE, line_checks.due())

    def webhooks(self) -> int:
        """Rings for webhooks that are to be delivered; says for how many."""
        return self._ring(queue.DELIVER, webhooks.due(clock.now()))

    def imports(self) -> int:
        """Rings for imports that are to be taken on; says for how many."""
        with db.reading() as session:
            ids = import_jobs.due(session)
        return self._ring(queue.IMPORT, ids)

    def _ring(self, actor: str, ids: Iterable[object]) -> int:
        now = clock.monotonic()
        self._rung = {wake: at for wake, at in self._rung.items() if now - at < _AGAIN}
        wakes = [w for w in (queue.Wake(actor, str(i)) for i in ids) if w not in self._rung]
        self._rung.update(dict.fromkeys(wakes, now))
        queue.ring(wakes)
        return len(wakes)
