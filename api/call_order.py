"""A call that was ordered here, as it is told with its call."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from crm.call_orders import is_placed
from models.call import Call as CallRow
from models.call_order import CallOrder as OrderRow
from models.call_order import CommandState

State = Literal["waiting", "dialling", "placed", "refused", "unknown"]
_STATES: dict[CommandState, State] = {
    CommandState.WAITING: "waiting",
    CommandState.RUNNING: "dialling",
    CommandState.DONE: "placed",
    CommandState.FAILED: "refused",
    CommandState.UNKNOWN: "unknown",
}


class CallOrder(BaseModel):
    """How far the order has come to ring the agent's telephone first, and then the client's."""

    state: State = Field(description="placed: the provider has it; unknown: it never answered")
    error: str = Field(description="Why it was refused, or what went wrong at the last try")
    agent: str = Field(description="Whose telephone rings first: the user's e-mail address")
    activity_id: int | None = Field(description="The planned call that it is made for")
    outcome: str | None = Field(description="What the agent says came of it")
    created_at: datetime

    @classmethod
    def of(cls, row: OrderRow | None, *, call: CallRow) -> Self | None:
        """An order as it is told with its call."""
        if row is None:
            return None
        dial = next(c for c in row.commands if c.kind == "dial")
        return cls(
            state="placed" if is_placed(call) else _STATES[dial.state],
            error=dial.error,
            agent=row.user.email,
            activity_id=row.activity_id,
            outcome=row.outcome,
            created_at=row.created_at,
        )
