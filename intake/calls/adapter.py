"""What a telephony adapter has beside what every adapter has."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from crm.submission import CallUpdate
from intake.adapter import Adapter
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from models.source import Channel

L = TypeVar("L", bound=LineSettings)


class CallAdapter(Adapter[L]):
    """One provider's webhooks."""

    channel: ClassVar[Channel] = Channel.CALL

    def parse(self, delivery: Delivery, settings: L) -> CallUpdate:
        """What this event says about its call."""
        raise NotImplementedError

    def answer(self) -> tuple[bytes, str]:
        """What the provider expects in answer: the content and its type."""
        return b"", "text/plain"
