"""Our own word of a call that we placed: that the provider took it, or why it was never placed.

Written by whoever asked the provider, followed like any event.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from core import clock
from core.ids import digest
from crm.call_orders import UNPLACED
from crm.submission import CallUpdate
from intake.calls import reading
from intake.calls.adapter import CallAdapter
from intake.calls.lost_end import AnyLine
from intake.delivery import Delivery
from models.call import CallResult


class OrderNote(CallAdapter[AnyLine]):
    """One note is one JSON object of ours. No door leads here."""

    name = "call-order"
    settings = AnyLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON,)

    def parse(self, delivery: Delivery, settings: AnyLine) -> CallUpdate:
        """Under which id the provider has it, or that it is over before it began."""
        said = reading.document(delivery.body)
        if "call_id" in said:
            return CallUpdate(call_id=reading.call_id(said["call_id"]), event="placed", order=said["order"])
        return CallUpdate(
            call_id=UNPLACED + said["order"],
            event="not-placed",
            order=said["order"],
            result=CallResult.FAILED,
            final=True,
            ended_at=delivery.received_at,
            closed_reason=said["reason"],
        )


def placed(order: str, call_id: str) -> tuple[str, Delivery]:
    """The key and the delivery of a note that the provider has the call under this id."""
    return _note(order, "placed", {"call_id": call_id})


def not_placed(order: str, reason: str) -> tuple[str, Delivery]:
    """The key and the delivery of a note that the call was not placed."""
    return _note(order, "not placed", {"reason": reason})


def _note(order: str, kind: str, said: dict[str, Any]) -> tuple[str, Delivery]:
    body = json.dumps({"order": order, **said}).encode()
    return f"call-order:{digest(order, kind)}", Delivery(body, reading.JSON, clock.now())
