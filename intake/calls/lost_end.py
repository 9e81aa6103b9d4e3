"""Our own word that a call's end never came: written by the scheduler, followed like any event.

Should the provider's end come after all, it counts and this does not.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import ConfigDict

from core import clock
from core.ids import digest
from crm.submission import CallUpdate
from intake.calls import reading
from intake.calls.adapter import CallAdapter
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from models.call import CallResult

#: No telephone rings longer, and nobody talks longer, without a word from the provider.
LONGEST_RING = timedelta(minutes=30)
LONGEST_TALK = timedelta(hours=5)


class AnyLine(LineSettings):
    """What all lines have, whoever their provider is."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class LostEnd(CallAdapter[AnyLine]):
    """One note is one JSON object of ours. No door leads here."""

    name = "lost-end"
    settings = AnyLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON,)

    def parse(self, delivery: Delivery, settings: AnyLine) -> CallUpdate:
        """The end as far as it is known."""
        said = reading.document(delivery.body)
        return CallUpdate(
            call_id=said["call_id"],
            event="lost-end",
            result=CallResult.ANSWERED if said["answered"] else CallResult.MISSED,
            final=True,
            closed_reason=said["reason"],
        )


def note(call_id: str, heard_at: datetime, *, answered: bool) -> tuple[str, Delivery]:
    """The key and the delivery of a note that this call, last heard of then, is over."""
    longest = LONGEST_TALK if answered else LONGEST_RING
    hours = longest.total_seconds() / 3600
    words = f"{hours:g} hours" if hours >= 1 else f"{hours * 60:g} minutes"
    said = {"call_id": call_id, "answered": answered, "reason": f"no end was told for {words}"}
    key = f"lost-end:{digest(call_id, heard_at.isoformat())}"
    return key, Delivery(json.dumps(said).encode(), reading.JSON, clock.now())
