"""Takes one row, does what it says, and writes down what came of it."""

from __future__ import annotations

import threading
from datetime import timedelta

from core import db
from core.errors import (
    Ignored,
    Permanent,
    PortariaError,
    Quarantined,
    Retry,
    TooEarly,
    Unavailable,
    Unreadable,
)
from core.logs import logger
from core.metrics import STEPS
from crm import workspace
from crm.submission import Submission
from intake import claims, errands, journal, pipeline
from intake import held as held_facts
from intake.errand import ASKED, TRIES, Errand, Needed
from intake.mailbox.fingerprint import fingerprint
from models.inbound import EventState
from rules import runs
from rules.order import MailOrder
from worker import mailing
from worker.outbound import smtp, webhook

log = logger(__name__)
_MOST_WAITING = 10_000
#: Longer than the slowest answer from outside takes.
ERRAND_LEASE = timedelta(seconds=90)
# What an adapter says of an event decides at once; any other failure is tried again.
_STATES: dict[type[Exception], EventState] = {
    Unreadable: EventState.FAILED,
    Ignored: EventState.IGNORED,
    Quarantined: EventState.QUARANTINED,
}


def process_event(event_id: str) -> None:
    """Claims an event, and takes it through the house in one transaction."""
    with db.single() as connection:
        taken = claims.take(connection, event_id)
    while taken is not None:
        taken = _process(taken)


def _process(taken: claims.Taken) -> claims.Taken | None:
    """Answers with the event anew where an errand was run for it and it can go on."""
    held, event = taken.held, taken.event
    try:
        with db.unit_of_work() as session:
            taken.join(session)
            if taken.is_contested and claims.claimed(session, held) is None:
                return None
            if held.attempt > claims.MOST_ATTEMPTS:
                journal.close(event, EventState.FAILED, error=f"cut off {claims.MOST_ATTEMPTS} times")
            else:
                pipeline.process(session, event, careful=held.attempt > 1)
        pipeline.count(event)
    except Needed as needed:
        if _run_errand(held, needed.errand):
            with db.single() as connection:
                return claims.take_again(connection, held)
    except Unavailable:
        raise  # nothing was written; the lease runs out and the sweep rings again
    except Exception as error:  # noqa: BLE001  kept with the event, which stays visible and replayable
        _set_aside(held, error)
    return None


def _run_errand(held: claims.Claim, errand: Errand) -> bool:
    """Does it between two transactions; says whether the event can go on now."""
    with db.unit_of_work(durable=False) as session:
        if not claims.prolong(session, held, ERRAND_LEASE):
            return False
        name = workspace.load(session).name
    try:
        facts = errands.run(errand)
        if errand.mail is not None:
            smtp.send(errand.mail, sender_name=name)
            facts[ASKED] = f"waits until {errand.mail.to} confirms the address"
    except Retry as error:
        return _errand_failed(held, errand, str(error))
    except Permanent as error:
        if not errand.can_do_without:
            _set_aside(held, Unreadable(str(error)))
            return False
        facts = errands.given_up(errand, str(error))
    content = facts.pop(errands.CONTENT, None)
    with db.unit_of_work() as session:
        event = claims.claimed(session, held)
        if event is not None:
            journal.learn(event, facts)
            if content is not None:
                # What a message says makes it the same as another one; what is left of an event does not.
                key = event.dedupe_key if errand.leaves is not None else fingerprint(content)
                return journal.refill(session, event, content, key)
    return event is not None


def _errand_failed(held: claims.Claim, errand: Errand, words: str) -> bool:
    with db.unit_of_work() as session:
        event = claims.claimed(session, held)
        if event is None:
            return False
        tries = int(event.envelope["facts"].get(TRIES, 0)) + 1
        if tries < errand.patience:
            journal.wait(event, tries, error=words[:2000])
        elif errand.can_do_without:
            journal.learn(event, errands.given_up(errand, words[:200]))
            return True
        else:
            journal.close(event, EventState.FAILED, error=words[:2000])
            pipeline.count(event)
    return False


def _set_aside(held: claims.Claim, error: Exception) -> None:
    words = str(error) if isinstance(error, PortariaError) else f"{type(error).__name__}: {error}"
    state = _STATES.get(type(error))
    if state is None:
        log.exception("event.failed", event_id=held.event_id)
        state = EventState.FAILED if held.attempt >= claims.MOST_ATTEMPTS else None
    with db.unit_of_work() as session:
        event = claims.claimed(session, held)
        if event is None:
            return
        if state is None:
            journal.postpone(event, error=words[:2000])
        else:
            if isinstance(error, Quarantined) and isinstance(error.submission, Submission):
                journal.learn(event, {held_facts.HELD: held_facts.told(error.submission)})
            journal.close(event, state, error=words[:2000])
            pipeline.count(event)


def go_on(step_id: int) -> None:
    """Takes a run on from a wait whose time has come."""
    _claimed(step_id)


def _claimed(step_id: int) -> tuple[runs.Job | None, str]:
    """What a due step orders, None where nothing; and the workspace's name."""
    try:
        with db.unit_of_work() as session:
            return runs.claim(session, step_id), workspace.load(session).name
    except Unavailable:
        raise
    except Exception as error:  # recorded with the step, which is tried again
        log.exception("step.broken", step_id=step_id)
        with db.unit_of_work() as session:
            runs.broken(session, step_id, f"{type(error).__name__}: {error}"[:2000])
        return None, ""


class Executor:
    """Carries out deferred steps, never so many at once that events would wait behind a slow server.

    What is rung for while all lanes are taken is done by whichever lane is free first.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = threading.BoundedSemaphore(lanes)
        self._waiting: dict[int, None] = {}  # in the order they were rung for

    def run_step(self, step_id: int) -> None:
        """Claims a step, carries out its order, records the outcome: now, or as soon as a lane is free."""
        if len(self._waiting) < _MOST_WAITING:  # the others stay due, and are rung for again
            self._waiting[step_id] = None
        while self._waiting and self._lanes.acquire(blocking=False):
            try:
                while (following := self._next()) is not None:
                    self._run(following)
            finally:
                self._lanes.release()

    def _next(self) -> int | None:
        while self._waiting:
            try:
                step_id = next(iter(self._waiting))
                del self._waiting[step_id]
            except (KeyError, RuntimeError, StopIteration):
                continue  # another lane has just taken it
            return step_id
        return None

    def _run(self, step_id: int) -> None:
        job, name = _claimed(step_id)
        if job is None:
            return
        answer: object = None
        try:
            if isinstance(job.order, MailOrder):
                words = smtp.send(job.order, sender_name=name)
            else:
                words, answer = webhook.send(job.order)
        except TooEarly as error:
            with db.unit_of_work() as session:
                runs.postponed(session, job, str(error), after=error.wait)
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
                if isinstance(job.order, MailOrder):
                    mailing.note_copy(session, job.order)

    def _failed(self, job: runs.Job, error: Exception, *, retry: bool) -> None:
        STEPS.labels(job.kind, "retry" if retry else "failed").inc()
        words = str(error) if isinstance(error, PortariaError) else f"{type(error).__name__}: {error}"
        after = error.after if isinstance(error, Retry) else None
        with db.unit_of_work() as session:
            runs.failed(session, job, words[:2000], retry=retry, after=after)
