"""Tells providers to place calls: each command once, and again only where it surely was not carried out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, http
from core.errors import NotSent, Permanent, PortariaError, Retry, Unreadable
from core.logs import logger
from crm import call_orders
from intake import calling, journal, pipeline
from intake.calls import LineSettings, order_note
from intake.calls.dialling import DIALLERS, Dial, Dialler
from models.call import Call
from models.call_order import CallCommand, CallOrder, CommandState
from models.source import Source

#: Longer than any provider takes to answer.
_LEASE = timedelta(seconds=60)
#: So long after an order whose fate nobody knows it counts as not placed, if nothing was heard of it.
_SILENCE = timedelta(minutes=2)
_PAUSES = (1, 3, 10)
_MOST = 200
_WHOLE_ANSWER = 256 * 1024
_LATE = "it could not be placed in time"
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    id: int
    kind: str
    order_id: int
    token: str
    source_id: int
    dial: Dial
    dialler: Dialler[Any]
    line: LineSettings


def place(command_id: int) -> None:
    """Carries out one command that is due: once, by whoever comes first."""
    with db.unit_of_work() as session:
        job = _claim(session, command_id)
    if job is None:
        return
    try:
        request = job.dialler.request(job.kind, job.dial, job.line)
        answer = http.exchange(
            "POST", request.url, request.headers, content=request.content, most=_WHOLE_ANSWER
        )
    except NotSent as error:
        _postponed(job, str(error))
    except (Permanent, Unreadable) as error:
        _refused(job, str(error))
    except Retry as error:
        _unanswered(job, str(error))
    else:
        _answered(job, answer)


def _claim(session: Session, command_id: int) -> _Job | None:
    now = clock.now()
    row = session.get(CallCommand, command_id, with_for_update=True)
    if row is None or row.due_at is None or row.due_at > now:
        return None
    order = session.get_one(CallOrder, row.order_id)
    source = session.get_one(Source, order.source_id)
    provider = str(source.settings.get("provider"))
    dialler = DIALLERS.get(provider)
    if row.state is CommandState.RUNNING and not (dialler and dialler.repeatable):
        # Whoever had it died after it may have been sent: nobody is called twice for that.
        _end(session, row, CommandState.UNKNOWN, "the worker stopped before the provider had answered")
        return None
    if row.created_at < now - call_orders.PATIENCE:
        _give_up(session, row, order, _LATE)
        return None
    why = calling.trouble(session, source)
    if dialler is None or why is not None:
        _give_up(session, row, order, f"the line '{source.key}' places no calls: {why}")
        return None
    _, line = pipeline.line_of(session, source)
    row.state, row.tries, row.due_at = CommandState.RUNNING, row.tries + 1, now + _LEASE
    dial = Dial(
        order=order.token,
        agent_number=order.agent_number,
        agent_extension=order.user.extension,
        agent_email=order.user.email,
        client_number=order.client_number,
        line_number=order.line_number,
        address=calling.address(source.key, provider),
        handle=order.handle,
    )
    return _Job(row.id, row.kind, order.id, order.token, source.id, dial, dialler, line)


def _answered(job: _Job, answer: http.Answer) -> None:
    if answer.status in (408, 425) or answer.status >= 500:
        _unanswered(job, f"the provider answered {answer.status}")
    elif answer.status == 429:
        _postponed(job, "the provider says that we ask too often")
    elif answer.status >= 300:
        words = job.dialler.refusal(answer.body)
        _refused(job, f"the provider refused: {words or f'it answered {answer.status}'}")
    else:
        placed = job.dialler.placed(answer.body, job.line) if job.kind == "dial" else None
        with db.unit_of_work() as session:
            row = session.get_one(CallCommand, job.id, with_for_update=True)
            _end(session, row, CommandState.DONE, "")
            if placed is not None and placed.handle:
                session.get_one(CallOrder, job.order_id).handle = placed.handle
            if placed is not None and placed.call_id:
                key, note = order_note.placed(job.token, placed.call_id)
                journal.append(session, [journal.Entry(job.source_id, order_note.OrderNote.name, key, note)])


def _postponed(job: _Job, words: str, *, unsure: bool = False) -> None:
    """Tried again, as long as somebody waits for it; `unsure` whether it was carried out."""
    with db.unit_of_work() as session:
        row = session.get_one(CallCommand, job.id, with_for_update=True)
        if row.tries > len(_PAUSES):
            if unsure:
                _end(session, row, CommandState.UNKNOWN, words)
                return
            _give_up(session, row, session.get_one(CallOrder, job.order_id), words)
            return
        row.state, row.error = CommandState.WAITING, words[:500]
        row.due_at = clock.now() + timedelta(seconds=_PAUSES[row.tries - 1])


def _refused(job: _Job, words: str) -> None:
    with db.unit_of_work() as session:
        row = session.get_one(CallCommand, job.id, with_for_update=True)
        _give_up(session, row, session.get_one(CallOrder, job.order_id), words)


def _unanswered(job: _Job, words: str) -> None:
    """It may have been carried out: only a provider that knows a repeated command is asked again."""
    if job.dialler.repeatable:
        _postponed(job, words, unsure=True)
        return
    with db.unit_of_work() as session:
        row = session.get_one(CallCommand, job.id, with_for_update=True)
        _end(session, row, CommandState.UNKNOWN, words)


def _give_up(session: Session, row: CallCommand, order: CallOrder, words: str) -> None:
    _end(session, row, CommandState.FAILED, words)
    if row.kind == "dial":
        _note(session, order, words)


def _note(session: Session, order: CallOrder, words: str) -> None:
    key, note = order_note.not_placed(order.token, words[:300])
    journal.append(session, [journal.Entry(order.source_id, order_note.OrderNote.name, key, note)])


def _end(session: Session, row: CallCommand, state: CommandState, words: str) -> None:
    if row.state is CommandState.DONE:  # an event of the call was quicker
        return
    row.state, row.due_at, row.ended_at, row.error = state, None, clock.now(), words[:500]
    if words:
        log.info("call.not_placed", command=row.kind, order=row.order_id, state=state.value)


def due() -> list[int]:
    """The commands that wait to be carried out now, or whose worker died."""
    with db.reading() as session:
        chosen = select(CallCommand.id).where(CallCommand.due_at <= clock.now())
        return list(session.scalars(chosen.order_by(CallCommand.due_at).limit(_MOST)))


def give_up() -> int:
    """Closes calls that were ordered, whose fate is not known and of which nothing was heard."""
    with db.reading() as session:
        silent = session.scalars(
            select(CallCommand.id)
            .join(CallOrder, CallOrder.id == CallCommand.order_id)
            .join(Call, Call.id == CallOrder.call_id)
            .where(
                CallCommand.kind == "dial",
                CallCommand.state == CommandState.UNKNOWN,
                CallCommand.ended_at < clock.now() - _SILENCE,
                Call.result.is_(None),
                Call.group_id.startswith(call_orders.UNPLACED, autoescape=True),
            )
            .limit(_MOST)
        ).all()
    for command_id in silent:
        try:
            with db.unit_of_work() as session:
                row = session.get_one(CallCommand, command_id, with_for_update=True)
                if row.state is CommandState.UNKNOWN:
                    words = f"{row.error}, and nothing was heard of the call since"
                    _note(session, session.get_one(CallOrder, row.order_id), words)
        except PortariaError:
            log.exception("call.not_given_up", command=command_id)
    return len(silent)
