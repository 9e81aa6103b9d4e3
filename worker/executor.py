"""Takes one row, does what it says, and writes down what came of it."""

from __future__ import annotations

import threading

from core import db
from core.errors import Ignored, Permanent, PortariaError, Quarantined, Retry, Unavailable, Unreadable
from core.logs import logger
from core.metrics import STEPS
from crm import workspace
from intake import journal, pipeline
from models.inbound import EventState
from rules import runs
from rules.order import MailOrder
from worker.outbound import smtp, webhook

log = logger(__name__)
# What an adapter says of an event decides at once; any other failure is tried again.
_STATES: dict[type[Exception], EventState] = {
    Unreadable: EventState.FAILED,
    Ignored: EventState.IGNORED,
    Quarantined: EventState.QUARANTINED,
}


def process_event(event_id: str) -> None:
    """Claims an event, and takes it through the house in one transaction."""
    with db.unit_of_work(durable=False) as session:
        held = journal.claim(session, event_id)
    if held is None:
        return
    try:
        with db.unit_of_work() as session:
            event = journal.claimed(session, held)
            if event is None:
                return
            if held.attempt > journal.MOST_ATTEMPTS:
                journal.close(event, EventState.FAILED, error=f"cut off {journal.MOST_ATTEMPTS} times")
            else:
                pipeline.process(session, event, careful=held.attempt > 1)
        pipeline.count(event)
    except Unavailable:
        raise  # nothing was written; the lease runs out and the sweep rings again
    except Exception as error:  # noqa: BLE001  kept with the event, which stays visible and replayable
        _set_aside(held, error)


def _set_aside(held: journal.Claim, error: Exception) -> None:
    words = str(error) if isinstance(error, PortariaError) else f"{type(error).__name__}: {error}"
    state = _STATES.get(type(error))
    if state is None:
        log.exception("event.failed", event_id=held.event_id)
        state = EventState.FAILED if held.attempt >= journal.MOST_ATTEMPTS else None
    with db.unit_of_work() as session:
        event = journal.claimed(session, held)
        if event is None:
            return
        if state is None:
            journal.postpone(event, error=words[:2000])
        else:
            journal.close(event, state, error=words[:2000])
            pipeline.count(event)


class Executor:
    """Carries out deferred steps, never so many at once that events would wait behind a slow server."""

    def __init__(self, lanes: int) -> None:
        self._lanes = threading.BoundedSemaphore(lanes)

    def run_step(self, step_id: int) -> None:
        """Claims a step, carries out its order, and records the outcome."""
        if not self._lanes.acquire(blocking=False):
            return  # the step stays due, and the sweep rings again in a moment
        try:
            self._run(step_id)
        finally:
            self._lanes.release()

    def _run(self, step_id: int) -> None:
        try:
            with db.unit_of_work() as session:
                job = runs.claim(session, step_id)
                name = workspace.load(session).name
        except Unavailable:
            raise
        except Exception as error:  # recorded with the step, which is tried again
            log.exception("step.broken", step_id=step_id)
            with db.unit_of_work() as session:
                runs.broken(session, step_id, f"{type(error).__name__}: {error}"[:2000])
            return
        if job is None:
            return
        answer: object = None
        try:
            if isinstance(job.order, MailOrder):
                words = smtp.send(job.order, sender_name=name)
            else:
                words, answer = webhook.send(job.order)
        except Retry as error:
            self._failed(job, error, retry=True)
        except Permanent as error:
            self._failed(job, error, retry=False)
        except Exception as error:  # recorded with the step, which is tried again
            log.exception("step.failed", step_id=step_id)
            self._failed(job, error, retry=True)
        else:
            STEPS.labels(job.kind, "done").inc()
            with db.unit_of_work() as session:
                runs.done(session, job, words, answer)

    def _failed(self, job: runs.Job, error: Exception, *, retry: bool) -> None:
        STEPS.labels(job.kind, "retry" if retry else "failed").inc()
        words = str(error) if isinstance(error, PortariaError) else f"{type(error).__name__}: {error}"
        after = error.after if isinstance(error, Retry) else None
        with db.unit_of_work() as session:
            runs.failed(session, job, words[:2000], retry=retry, after=after)
