"""Orders: what the world outside is asked to do, complete and in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file to send along: its name, its media type, and where it lies in the storage."""

    name: str
    kind: str
    place: str


@dataclass(frozen=True, slots=True)
class MailOrder:
    """An e-mail to send. `message_id` is the same at every attempt, so that a receiver can drop a copy.

    `automatic` is the word of its Auto-Submitted header (RFC 3834), empty for a mail that a person wrote.
    `mailbox` is the key of the mailbox it is sent from, `unsubscribe` the address of its one-click link,
    `calendar` an invitation that it carries.
    """

    to: str
    subject: str
    text: str
    message_id: str
    html: str = ""
    calendar: str = ""
    cc: tuple[str, ...] = ()
    from_name: str = ""
    mailbox: str | None = None
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    automatic: str = "auto-generated"
    unsubscribe: str = ""
    files: tuple[MailFile, ...] = ()
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class WebhookOrder:
    """A JSON document to post. `webhook_id` is the same at every attempt."""

    url: str
    payload: Mapping[str, Any]
    webhook_id: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """Nothing more is to be done: it was written in the same transaction; how, in words."""

    words: str


Order = MailOrder | WebhookOrder
