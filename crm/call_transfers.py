"""Callers who wait for their provider to be told whom to ring, as rows."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from models.call import Call
from models.call_order import CommandState
from models.call_transfer import CallTransfer

Kind = Literal["first", "fallback", "hangup"]


def ask(session: Session, call: Call, kind: Kind, *, handle: str, number: str | None = None) -> None:
    """Lets the provider be told, once for each kind, and wakes the worker for it; nothing when it is over."""
    known = select(CallTransfer.id).where(CallTransfer.call_id == call.id, CallTransfer.kind == kind)
    if call.result is not None or session.scalar(known) is not None:
        return
    now = clock.now()
    row = CallTransfer(
        call_id=call.id,
        kind=kind,
        handle=handle,
        number=number,
        state=CommandState.WAITING,
        due_at=now,
        created_at=now,
    )
    session.add(row)
    session.flush()
    queue.wake(session, queue.TRANSFER_CALL, row.id)
