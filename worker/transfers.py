"""Tells providers whom to ring for callers who wait: each command once, the fallback where one fails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, http
from core.errors import Permanent, Retry
from core.logs import logger
from crm import call_transfers
from intake import pipeline
from intake.calls import LineSettings
from intake.calls.connect import AskingLine
from intake.calls.dialling import DIALLERS, Dialler, Transfer
from models.call import Call
from models.call_order import CommandState
from models.call_transfer import CallTransfer
from models.source import Source

#: Longer than the provider takes to answer.
_LEASE = timedelta(seconds=40)
#: Nobody waits for longer to be put through.
_PATIENCE = timedelta(seconds=60)
_PAUSES = (0.3, 1.0)
_MOST = 200
_WHOLE_ANSWER = 256 * 1024
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    id: int
    transfer: Transfer
    dialler: Dialler[Any]
    line: LineSettings


def carry_out(transfer_id: int) -> None:
    """Tells the provider of one command that is due: by whoever comes first."""
    with db.unit_of_work() as session:
        job = _claim(session, transfer_id)
    if job is None:
        return
    request = job.dialler.transfer(job.transfer, job.line)
    try:
        answer = http.exchange(
            "POST", request.url, request.headers, content=request.content, most=_WHOLE_ANSWER
        )
    except Retry as error:
        _failed(job, str(error), for_good=False)
    except Permanent as error:
        _failed(job, str(error), for_good=True)
    else:
        if answer.status < 300:
            with db.unit_of_work() as session:
                _end(session.get_one(CallTransfer, job.id, with_for_update=True), CommandState.DONE, "")
            return
        words = job.dialler.refusal(answer.body) or f"it answered {answer.status}"
        busy = answer.status in (408, 425, 429) or answer.status >= 500
        _failed(job, f"the provider refused: {words}", for_good=not busy)


def _claim(session: Session, transfer_id: int) -> _Job | None:
    now = clock.now()
    row = session.get(CallTransfer, transfer_id, with_for_update=True)
    if row is None or row.due_at is None or row.due_at > now:
        return None
    call = session.get_one(Call, row.call_id)
    if call.result is not None or row.created_at < now - _PATIENCE:
        _end(row, CommandState.FAILED, "nobody waits any more")
        return None
    source = session.get_one(Source, call.source_id)
    _, line = pipeline.line_of(session, source)
    row.state, row.tries, row.due_at = CommandState.RUNNING, row.tries + 1, now + _LEASE
    seconds = line.connect.ring_seconds if isinstance(line, AskingLine) and line.connect else 20
    transfer = Transfer(row.id, row.kind, row.handle, row.number, seconds)
    return _Job(row.id, transfer, DIALLERS[line.provider], line)


def _failed(job: _Job, words: str, *, for_good: bool) -> None:
    with db.unit_of_work() as session:
        row = session.get_one(CallTransfer, job.id, with_for_update=True)
        if not for_good and row.tries <= len(_PAUSES):
            row.state, row.error = CommandState.WAITING, words[:500]
            row.due_at = clock.now() + timedelta(seconds=_PAUSES[row.tries - 1])
            return
        _end(row, CommandState.FAILED, words)
        call = session.get_one(Call, row.call_id)
        connect = job.line.connect if isinstance(job.line, AskingLine) else None
        if row.kind == "first" and connect is not None:
            call.rung_user, call.rung_number, call.rung_at = None, connect.fallback, clock.now()
            call.rung_why = f"the fallback: {words}"[:1000]
            call_transfers.ask(session, call, "fallback", handle=row.handle, number=connect.fallback)
        elif row.kind == "fallback":
            # Who can be put through to nobody is not left to hear nothing.
            call_transfers.ask(session, call, "hangup", handle=row.handle)
    log.warning("call.not_put_through", transfer=job.id, error=words[:200])


def _end(row: CallTransfer, state: CommandState, words: str) -> None:
    row.state, row.due_at, row.ended_at, row.error = state, None, clock.now(), words[:500]


def due() -> list[int]:
    """The commands that wait to be told now, or whose worker died."""
    with db.reading() as session:
        chosen = select(CallTransfer.id).where(CallTransfer.due_at <= clock.now())
        return list(session.scalars(chosen.order_by(CallTransfer.due_at).limit(_MOST)))
