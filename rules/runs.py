"""Deferred steps: claimed by lease, ordered, and recorded with what came of them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Conflict, Invalid, NotFound
from core.ids import digest
from crm import messages, timeline, workspace
from crm.reachability import LeftOut
from models.message import Message
from models.rule import Run, RunState, StepRow, StepState
from rules import engine, facts, subject
from rules.order import MailOrder, Order, Written
from rules.schema import PlannedStep, planned
from rules.step import DeferredStep, StepContext
from rules.steps import STEPS
from rules.walk import in_words, seen_by, settle

#: How long one attempt may take before another worker takes the step over.
LEASE = timedelta(seconds=60)
#: The waits after each failed attempt (after Svix's published schedule); after the last it has failed.
WAITS = tuple(timedelta(seconds=s) for s in (5, 30, 300, 1800, 7200, 18000, 36000, 36000))


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed step and what it orders; `attempt` tells this claim from a later one."""

    step_id: int
    attempt: int
    kind: str
    order: Order


def due(now: datetime) -> ColumnElement[bool]:
    """The condition for a step that a worker may claim now."""
    return and_(
        StepRow.state.in_((StepState.READY, StepState.RUNNING, StepState.WAITING)),
        StepRow.due_at <= now,
        or_(StepRow.lease_until.is_(None), StepRow.lease_until < now),
    )


def claim(session: Session, step_id: int) -> Job | None:
    """Takes a due step. A wait is over, and its run goes on here; of another the order is written.

    None where no order is to be carried out now. An order is repeatable (its id is the same each time),
    so a step whose worker died is taken again.
    """
    now = clock.now()
    state = session.scalar(select(StepRow.state).where(StepRow.id == step_id))
    if state is StepState.WAITING:
        # What it is on first, as whoever brings what is waited for does.
        subject.hold(session, step_id)
    row = session.scalars(
        select(StepRow)
        .where(StepRow.id == step_id, due(now))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    if row.state is StepState.WAITING:
        row.state, row.ended_at = StepState.DONE, now
        row.data = {**row.data, "came": row.awaits is None}
        row.result = f"{row.awaits} did not come in time" if row.awaits else "the time has come"
        engine.go_on(session, row, workspace=workspace.load(session))
        return None
    # Counted before it is made, so that an attempt which takes its process down is counted too.
    row.attempts += 1
    if row.attempts > _most(row):
        _end(session, row, StepState.FAILED, "was tried too often, the last time without an answer")
        return None
    try:
        order = _order(session, row, now)
    except Invalid as error:
        state = StepState.SKIPPED if isinstance(error, LeftOut) else StepState.FAILED
        _end(session, row, state, in_words(error))
        return None
    if isinstance(order, Written):
        _end(session, row, StepState.DONE, order.words)
        return None
    row.state = StepState.RUNNING
    row.lease_until = now + LEASE
    return Job(row.id, row.attempts, row.kind, order)


def broken(session: Session, step_id: int, words: str) -> None:
    """Records that a due step could not even be taken: tried again later, and not for ever."""
    row = session.scalars(
        select(StepRow).where(StepRow.id == step_id, due(clock.now())).with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return
    row.attempts += 1
    if row.attempts >= _most(row):
        _end(session, row, StepState.FAILED, words)
        return
    row.result = words
    row.due_at = clock.now() + _wait(row.attempts)


def retry(session: Session, step_id: int) -> StepRow:
    """Does a failed step again: now where it is immediate, else by a worker with all its attempts.

    Raises NotFound, or Conflict where it has not failed.
    """
    row = _for_hand(session, step_id)
    if row.state not in (StepState.FAILED, StepState.UNKNOWN):
        raise Conflict(f"the step is {row.state.value}, and only a failed one is done again")
    if isinstance(planned({row.kind: row.settings}).step, DeferredStep):
        row.state, row.attempts, row.due_at = StepState.READY, 0, clock.now()
        row.ended_at, row.lease_until = None, None
        row.run.state, row.run.ended_at = RunState.ACTIVE, None
        queue.wake(session, queue.RUN_STEP, row.id)
    else:
        engine.again(session, row, workspace=workspace.load(session))
    return row


def skip(session: Session, step_id: int, *, by: str) -> StepRow:
    """Goes on without a step that failed, or that is still to be done or waited for.

    Raises NotFound, or Conflict where it is done or under way.
    """
    row = _for_hand(session, step_id)
    if row.state not in (StepState.FAILED, StepState.UNKNOWN, StepState.READY, StepState.WAITING):
        raise Conflict(f"the step is {row.state.value}")
    holds = row.state is StepState.WAITING or (
        row.state is StepState.READY and _held_up(planned({row.kind: row.settings}))
    )
    row.state, row.ended_at, row.result = StepState.SKIPPED, clock.now(), f"skipped by {by}"
    session.flush()
    if holds:
        engine.go_on(session, row, workspace=workspace.load(session))
    else:
        settle(row.run, session.scalars(select(StepRow).where(StepRow.run_id == row.run_id)))
    return row


def _most(row: StepRow) -> int:
    """How often a step of this kind is tried; a kind that is no more is as others."""
    step = STEPS.get(row.kind)
    return step.attempts if isinstance(step, DeferredStep) else len(WAITS) + 1


def _wait(attempt: int) -> timedelta:
    """How long after this attempt, with something at random: many that failed at once come back apart."""
    return WAITS[min(attempt, len(WAITS)) - 1] * random.uniform(1, 1.2)  # noqa: S311  no secret


def _held_up(step: PlannedStep) -> bool:
    return isinstance(step.step, DeferredStep) and step.step.holds_up(step.settings)


def _for_hand(session: Session, step_id: int) -> StepRow:
    if not subject.hold(session, step_id):
        raise NotFound("there is no such step")
    return session.get_one(StepRow, step_id, with_for_update=True, populate_existing=True)


def _order(session: Session, row: StepRow, now: datetime) -> Order | Written:
    step = planned({row.kind: row.settings})
    if not isinstance(step.step, DeferredStep):
        raise Invalid(f"'{row.kind}' is not carried out by a worker")
    here = workspace.load(session)
    run = row.run
    happening = facts.restored(session, run)
    seen = seen_by(happening, here, run.steps)
    context = StepContext(
        session=session,
        element=happening.element,
        came_from=happening.lead,
        facts={**seen, **row.data.get("around", {})},
        workspace=here,
        rule=run.rule,
        effect_key=digest(run.effect_key, row.path),
        now=now,
        step_id=row.id,
        mail_id=run.cause.get("message"),
    )
    return step.step.order(context, step.settings)


def message_of(session: Session, row: StepRow) -> Message | None:
    """The mail that a step sends to its lead; None for any other step."""
    return session.scalars(select(Message).where(Message.step_id == row.id).limit(1)).first()


def done(session: Session, job: Job, words: str, answer: object = None) -> None:
    """Records that the order was carried out, and what was answered where later steps may ask for it."""
    row = _held(session, job)
    if row is None:
        return
    message = message_of(session, row) if isinstance(job.order, MailOrder) else None
    if message is not None:
        messages.sent(session, message, words=words)
    elif isinstance(job.order, MailOrder):
        _tell(
            session,
            row,
            "mail_sent",
            words,
            {"subject": job.order.subject, "text": job.order.text, "to": job.order.to},
        )
    if (name := row.settings.get("answer_as")) is not None:
        row.data = {**row.data, "name": name, "answer": answer}
    _end(session, row, StepState.DONE, words)


def postponed(session: Session, job: Job, words: str, *, after: timedelta) -> None:
    """Records that the order was not tried, because it is too early: this counts as no attempt."""
    row = _held(session, job)
    if row is not None:
        row.state, row.lease_until = StepState.READY, None
        row.attempts -= 1
        row.due_at, row.result = clock.now() + after, words


def failed(session: Session, job: Job, words: str, *, retry: bool, after: timedelta | None = None) -> None:
    """Records a failure: tried again later where it may pass and has not been tried too often."""
    row = _held(session, job)
    if row is None:
        return
    if retry and job.attempt < _most(row):
        row.state = StepState.READY
        row.lease_until = None
        row.due_at = clock.now() + max(_wait(job.attempt), after or timedelta())
        row.result = words
        return
    _end(session, row, StepState.FAILED, words)


def _held(session: Session, job: Job) -> StepRow | None:
    held = (StepRow.id == job.step_id, StepRow.state == StepState.RUNNING, StepRow.attempts == job.attempt)
    if session.scalar(select(StepRow.id).where(*held)) is None:
        return None
    # What it is on first: a run that goes on may change it.
    subject.hold(session, job.step_id)
    return session.scalars(select(StepRow).where(*held).with_for_update()).one_or_none()


def _end(session: Session, row: StepRow, state: StepState, words: str) -> None:
    row.state = state
    row.lease_until = None
    row.ended_at = clock.now()
    row.result = words
    try:
        step = planned({row.kind: row.settings})
        summary = step.summary
        held_up = _held_up(step)
    except Invalid:
        # It was published by a release that wrote it in another way.
        summary, held_up = row.kind, True
    if state is StepState.FAILED and (message := message_of(session, row)) is not None:
        messages.failed(session, message, words, told=False)
    if state is StepState.FAILED:
        _tell(session, row, "step_failed", f"{summary}: {words}", {})
    elif state is StepState.DONE and row.kind in _TOLD:
        _tell(session, row, "step_done", f"{summary}: {words}", {"step": row.kind})
    # Two steps of one run may end at once: whoever has the run's row sees them both.
    session.flush()
    run = session.get_one(Run, row.run_id, with_for_update=True)
    if held_up:
        engine.go_on(session, row, workspace=workspace.load(session))
    else:
        settle(run, session.scalars(select(StepRow).where(StepRow.run_id == run.id)))


#: What goes outside and leaves no entry of its own: a mail that was sent stands there as a mail.
_TOLD = ("notify", "send_sms", "send_webhook")


def _tell(session: Session, row: StepRow, kind: str, words: str, data: dict[str, str]) -> None:
    element = subject.of_run(row.run)
    if element is not None:  # else the run's own rows say it
        timeline.record(session, element, kind=kind, summary=words, actor=f"rule:{row.run.rule}", data=data)
