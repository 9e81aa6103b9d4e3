"""How a call that was placed here goes, in words: for the page that it was placed from, while it is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from console import words
from core import clock
from crm.call_orders import is_placed
from models.call import Call, CallResult
from models.call_order import CallOrder, CommandState

# Of the newest orders so many may be under way; what is over is told for so long, to pages that sleep now and
# then.
_NEWEST, _TOLD = 200, timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """One call: what is said of it in two parts, whether an outcome may be picked, whether to call again."""

    call_id: int
    who: str
    words: str
    picks: bool
    again: bool

    def told(self) -> dict[str, Any]:
        """For the script of the page."""
        return {
            "call": self.call_id,
            "who": self.who,
            "words": self.words,
            "picks": self.picks,
            "again": self.again,
        }


def progress(order: CallOrder) -> Progress:
    """How far it has come, by what its provider has told so far."""
    call, agent = order.call, order.user.name
    dial = next(c for c in order.commands if c.kind == "dial")
    placed = is_placed(call)
    who, again = f"{agent} calls {order.client_number}", False
    if call.result is not None:
        who, again = f"{agent} called {order.client_number}", True
        said = ": " + call.result.value
        said += f", {words.duration(call.talk_seconds)}" if call.talk_seconds else ""
        said += f" ({call.closed_reason})" if call.closed_reason else ""
    elif dial.state is CommandState.UNKNOWN and not placed:
        who, again = f"Nobody knows whether {order.client_number} is being called", True
        said = f": {dial.error}. It is not dialled again."
    elif call.answered_at is not None:
        said = ": they are talking"
    elif placed:
        said = ": the telephones ring"
    else:
        said = f": the telephone of {agent} will ring in a moment"
        again = dial.state not in (CommandState.WAITING, CommandState.RUNNING, CommandState.DONE)
    picks = (call.result is not None or placed) and call.result is not CallResult.FAILED
    return Progress(call.id, who, said, picks, again)


def lately(session: Session) -> list[Progress]:
    """The calls that are under way, or were over a moment ago."""
    newest = select(func.max(CallOrder.id)).scalar_subquery()
    since = clock.now() - _TOLD
    chosen = (
        select(CallOrder)
        .join(Call, Call.id == CallOrder.call_id)
        .where(CallOrder.id > newest - _NEWEST)
        .where(or_(Call.result.is_(None), Call.heard_at > since))
        .options(joinedload(CallOrder.call), joinedload(CallOrder.user), selectinload(CallOrder.commands))
    )
    return [progress(order) for order in session.scalars(chosen)]
