"""Every Dramatiq actor, on one page. A message carries a row's id; the row carries the truth.

Dramatiq's own retries are off: attempts and due times are kept in the rows, where they survive the
broker.
"""

from __future__ import annotations

from collections.abc import Callable

from dramatiq import Broker, actor

from core import queue
from core.errors import Unavailable
from core.logs import logger
from worker import dialling, executor, imports, line_checks, mailing, recordings

log = logger(__name__)


def declare(broker: Broker, *, threads: int) -> None:
    """Declares the actors on a broker; `threads` is how many the worker has."""
    steps = executor.Executor(max(1, threads // 2))

    def process_event(event_id: str) -> None:
        _shielded(lambda: executor.process_event(event_id), "event", event_id)

    def run_step(step_id: str) -> None:
        _shielded(lambda: steps.run_step(int(step_id)), "step", step_id)

    def go_on(step_id: str) -> None:
        _shielded(lambda: executor.go_on(int(step_id)), "wait", step_id)

    def fetch_recording(recording_id: str) -> None:
        _shielded(lambda: recordings.fetch(int(recording_id)), "recording", recording_id)

    def send_mail(message_id: str) -> None:
        _shielded(lambda: mailing.send(int(message_id)), "message", message_id)

    def place_call(command_id: str) -> None:
        _shielded(lambda: dialling.place(int(command_id)), "call", command_id)

    def check_line(source_id: str) -> None:
        _shielded(lambda: line_checks.check(int(source_id)), "line", source_id)

    def advance_import(job_id: str) -> None:
        _shielded(lambda: imports.advance(int(job_id)), "import", job_id)

    table = (
        (place_call, queue.PLACE_CALL, 0),
        (process_event, queue.PROCESS_EVENT, 0),
        (go_on, queue.GO_ON, 5),
        (run_step, queue.RUN_STEP, 10),
        (send_mail, queue.SEND_MAIL, 10),
        (fetch_recording, queue.FETCH_RECORDING, 20),
        (check_line, queue.CHECK_LINE, 20),
        (advance_import, queue.IMPORT, 30),
    )
    for function, name, priority in table:
        actor(actor_name=name, queue_name=queue.QUEUES[name], broker=broker, priority=priority)(function)


def _shielded(work: Callable[[], object], kind: str, row_id: str) -> None:
    try:
        work()
    except Unavailable as error:
        # The row's lease runs out by itself; the sweep rings again when the database is back.
        log.warning("worker.database_unavailable", kind=kind, row_id=row_id, error=str(error))
