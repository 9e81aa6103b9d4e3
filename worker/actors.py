"""Every Dramatiq actor, on one page. A message carries rows' ids; the rows carry the truth.

Dramatiq's own retries are off: attempts and due times are kept in the rows, where they survive the
broker.
"""

from __future__ import annotations

from collections.abc import Callable

from dramatiq import Broker, actor

from core import queue
from core.errors import Unavailable
from core.logs import logger
from worker import (
    dialling,
    executor,
    imports,
    left_files,
    line_checks,
    mailing,
    recordings,
    subscriptions,
    transfers,
    webhooks,
)

log = logger(__name__)


def declare(broker: Broker, *, threads: int) -> None:
    """Declares the actors on a broker; `threads` is how many the worker has."""
    steps = executor.Executor(max(1, threads // 2))
    postman = webhooks.Postman(max(1, threads // 4))

    table: tuple[tuple[str, Callable[[str], object], int], ...] = (
        (queue.TRANSFER_CALL, lambda row_id: transfers.carry_out(int(row_id)), 0),
        (queue.PLACE_CALL, lambda row_id: dialling.place(int(row_id)), 0),
        (queue.PROCESS_CALL, executor.process_event, 0),  # somebody is on the telephone just now
        (queue.PROCESS_EVENT, executor.process_event, 3),
        (queue.PROCESS_BACKLOG, executor.process_event, 3),
        (queue.GO_ON, lambda row_id: executor.go_on(int(row_id)), 5),
        (queue.RUN_STEP, lambda row_id: steps.run_step(int(row_id)), 10),
        (queue.SEND_MAIL, lambda row_id: mailing.send(int(row_id)), 10),
        (queue.DELIVER, lambda _: postman.deliver(), 15),
        (queue.FETCH_RECORDING, lambda row_id: recordings.fetch(int(row_id)), 20),
        (queue.FETCH_FILE, lambda row_id: left_files.fetch(int(row_id)), 20),
        (queue.CHECK_LINE, lambda row_id: line_checks.check(int(row_id)), 20),
        (queue.SUBSCRIBE, lambda row_id: subscriptions.renew(int(row_id)), 20),
        (queue.IMPORT, lambda row_id: imports.advance(int(row_id)), 30),
    )
    for name, work, priority in table:
        actor(actor_name=name, queue_name=queue.QUEUES[name], broker=broker, priority=priority)(
            _one_by_one(name, work)
        )


def _one_by_one(kind: str, work: Callable[[str], object]) -> Callable[..., None]:
    """What is done for the rows of one message, each by itself."""

    def each(*row_ids: str) -> None:
        for row_id in row_ids:
            try:
                work(row_id)
            except Unavailable as error:
                # The row's lease runs out by itself; the sweep rings again when the database is back.
                log.warning("worker.database_unavailable", kind=kind, row_id=row_id, error=str(error))

    return each
