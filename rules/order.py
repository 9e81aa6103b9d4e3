"""Orders: what the world outside is asked to do, complete and in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class MailOrder:
    """An e-mail to send. `message_id` is the same at every attempt, so that a receiver can drop a copy."""

    to: str
    subject: str
    text: str
    message_id: str


@dataclass(frozen=True, slots=True)
class WebhookOrder:
    """A JSON document to post. `webhook_id` is the same at every attempt."""

    url: str
    payload: Mapping[str, Any]
    webhook_id: str
    headers: Mapping[str, str] = field(default_factory=dict)


Order = MailOrder | WebhookOrder
