"""Webhooks that a provider sends for a limited time: one file a provider, and one line for it here."""

from __future__ import annotations

from typing import Any

from intake.calls.subscribing.ringcentral import RingCentralSubscriber
from intake.calls.subscribing.subscriber import Asked, Subscriber, Subscription

#: By the provider's name.
SUBSCRIBERS: dict[str, Subscriber[Any]] = {"ringcentral": RingCentralSubscriber()}

__all__ = ["SUBSCRIBERS", "Asked", "Subscriber", "Subscription"]
