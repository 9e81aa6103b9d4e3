"""Finds what waits in the database and was never rung, or whose worker died, and rings for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select

from core import clock, db, queue
from intake import claims, import_jobs
from models.inbound import InboundEvent
from models.message import Message
from models.rule import StepRow, StepState
from rules import runs
from worker import dialling, left_files, line_checks, mailing, recordings, subscriptions, transfers, webhooks

#: Events younger than this are still on their way through the doorbell.
_PATIENCE = timedelta(seconds=1)
#: Rung again after so many seconds, if nothing of its kind was done in that time.
_AGAIN = 5.0
#: The same while a backlog is being worked off: a ring in the queue is only late then, and rings for what is
#: done already would stand before the next enquiry's.
_AGAIN_IN_BACKLOG = 60.0
_MOST = 500


class Sweeper:
    """Remembers what it rang, so that a backlog is not rung for every second."""

    def __init__(self) -> None:
        self._rung: dict[str, dict[str, float]] = {}
        self._moved: dict[str, float] = {}

    def events(self) -> int:
        """Rings for events that wait; says for how many."""
        now = clock.now()
        with db.reading() as session:
            ids = session.scalars(
                select(InboundEvent.id)
                .where(claims.waiting(now), InboundEvent.retry_at <= now - _PATIENCE)
                .order_by(InboundEvent.retry_at)
                .limit(_MOST)
            ).all()
        return self._ring(queue.PROCESS_BACKLOG, ids)

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

    def left_files(self) -> int:
        """Rings for files that are to be fetched from mail servers; says for how many."""
        return self._ring(queue.FETCH_FILE, left_files.due())

    def calls(self) -> int:
        """Rings for calls that are to be placed, and callers to be put through; says for how many."""
        waiting = self._ring(queue.TRANSFER_CALL, transfers.due())
        return waiting + self._ring(queue.PLACE_CALL, dialling.due())

    def lines(self) -> int:
        """Rings for lines that are to be checked; says for how many."""
        return self._ring(queue.CHECK_LINE, line_checks.due())

    def subscriptions(self) -> int:
        """Rings for lines whose webhooks are to be asked for anew; says for how many."""
        return self._ring(queue.SUBSCRIBE, subscriptions.due())

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
        waiting = [str(i) for i in ids]
        rung = self._rung.get(actor, {})
        if rung.keys() - set(waiting):
            self._moved[actor] = now
        moving = now - self._moved.get(actor, -_AGAIN) < _AGAIN
        patience = _AGAIN_IN_BACKLOG if moving else _AGAIN
        due = [i for i in waiting if now - rung.get(i, -patience) >= patience]
        self._rung[actor] = {i: rung[i] for i in waiting if i in rung} | dict.fromkeys(due, now)
        queue.ring([queue.Wake(actor, i) for i in due])
        return len(due)
