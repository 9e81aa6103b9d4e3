"""Deferred steps: claimed by lease, ordered, and recorded with what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid
from core.ids import digest
from crm import timeline, workspace
from crm.happening import Happening
from models.lead import Lead
from models.rule import Run, StepRow, StepState
from rules import facts
from rules.engine import settle
from rules.order import MailOrder, Order
from rules.schema import planned
from rules.step import DeferredStep, StepContext

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
        StepRow.state.in_((StepState.READY, StepState.RUNNING)),
        StepRow.due_at <= now,
        or_(StepRow.lease_until.is_(None), StepRow.lease_until < now),
    )


def claim(session: Session, step_id: int) -> Job | None:
    """Takes a due step and writes its order; None where it is not to be done now.

    An order is repeatable (its id is the same each time), so a step whose worker died is taken again.
    """
    now = clock.now()
    row = session.scalars(
        select(StepRow).where(StepRow.id == step_id, due(now)).with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    # Counted before it is made, so that an attempt which takes its process down is counted too.
    row.attempts += 1
    if row.attempts > len(WAITS) + 1:
        _end(session, row, StepState.FAILED, "was tried too often, the last time without an answer")
        return None
    try:
        order = _order(session, row, now)
    except Invalid as error:
        _end(session, row, StepState.FAILED, str(error))
        return None
    row.state = StepState.RUNNING
    row.lease_until = now + LEASE
    return Job(row.id, row.attempts, row.kind, order)


def _order(session: Session, row: StepRow, now: datetime) -> Order:
    step = planned({row.kind: row.settings})
    if not isinstance(step.step, DeferredStep):
        raise Invalid(f"'{row.kind}' is not carried out by a worker")
    here = workspace.load(session)
    lead = row.run.lead
    context = StepContext(
        session=session,
        lead=lead,
        facts=facts.of(Happening("", lead), here),
        workspace=here,
        rule=row.run.rule,
        effect_key=digest(row.run.effect_key, row.path),
        now=now,
    )
    return step.step.order(context, step.settings)


def done(session: Session, job: Job, words: str) -> None:
    """Records that the order was carried out."""
    row = _held(session, job)
    if row is None:
        return
    if isinstance(job.order, MailOrder):
        _tell(
            session,
            row,
            "mail_sent",
            words,
            {"subject": job.order.subject, "text": job.order.text, "to": job.order.to},
        )
    _end(session, row, StepState.DONE, words)


def failed(session: Session, job: Job, words: str, *, retry: bool, after: timedelta | None = None) -> None:
    """Records a failure: tried again later where it may pass and has not been tried too often."""
    row = _held(session, job)
    if row is None:
        return
    if retry and job.attempt <= len(WAITS):
        row.state = StepState.READY
        row.lease_until = None
        row.due_at = clock.now() + max(WAITS[job.attempt - 1], after or timedelta())
        row.result = words
        return
    _end(session, row, StepState.FAILED, words)


def _held(session: Session, job: Job) -> StepRow | None:
    return session.scalars(
        select(StepRow)
        .where(StepRow.id == job.step_id, StepRow.state == StepState.RUNNING, StepRow.attempts == job.attempt)
        .with_for_update()
    ).one_or_none()


def _end(session: Session, row: StepRow, state: StepState, words: str) -> None:
    row.state = state
    row.lease_until = None
    row.ended_at = clock.now()
    row.result = words
    if state is StepState.FAILED:
        _tell(session, row, "step_failed", f"{planned({row.kind: row.settings}).summary}: {words}", {})
    # Two steps of one run may end at once: whoever has the run's row sees them both.
    session.flush()
    run = session.get_one(Run, row.run_id, with_for_update=True)
    settle(run, session.scalars(select(StepRow).where(StepRow.run_id == run.id)))


def _tell(session: Session, row: StepRow, kind: str, words: str, data: dict[str, str]) -> None:
    lead = session.get_one(Lead, row.run.lead_id)
    timeline.record(session, lead, kind=kind, summary=words, actor=f"rule:{row.run.rule}", data=data)
