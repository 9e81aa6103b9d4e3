"""A mail as an enquiry: who wrote it, about what, in which words."""

from __future__ import annotations

import re
from typing import ClassVar

from core.errors import Quarantined, Unreadable
from core.ids import digest
from crm.submission import Submission
from intake.adapter import Adapter
from intake.delivery import Delivery
from intake.mailbox.message import MailMessage, read
from intake.mailbox.settings import MailboxSettings
from models.source import Channel

_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(<[^<>\r\n]{1,900}>)", re.IGNORECASE | re.MULTILINE)


class Mailbox(Adapter[MailboxSettings]):
    """One message is one delivery, fetched by ourselves."""

    name = "imap"
    channel = Channel.EMAIL
    settings = MailboxSettings
    content_types: ClassVar[tuple[str, ...]] = ("message/rfc822",)

    def verify(self, delivery: Delivery, settings: MailboxSettings) -> None:
        """Nothing to verify: we fetched it. The sender's address is a label and opens nothing."""

    def dedupe_key(self, delivery: Delivery, settings: MailboxSettings) -> str:
        """Message-ID and content: a message seen again is the same, a reused Message-ID is not."""
        head = (
            delivery.body[: delivery.body.find(b"\r\n\r\n") + 4]
            if b"\r\n\r\n" in delivery.body
            else delivery.body
        )
        found = _MESSAGE_ID.search(head)
        return f"mail:{digest(found[1] if found else b'', delivery.body)}"

    def parse(self, delivery: Delivery, settings: MailboxSettings) -> Submission:
        """The sender as the person, the subject as the title, the text as the message."""
        if error := delivery.facts.get("fetch_error"):
            raise Unreadable(f"the server would not give this message: {error}")
        mail = read(delivery.body)
        reason = _not_an_enquiry(mail)
        if reason and not mail.from_address:
            raise Quarantined(reason)
        if not mail.from_address:
            raise Unreadable("nobody is named as its sender")
        extra = {
            "message_id": mail.message_id,
            "date": mail.date.isoformat() if mail.date else None,
            "to": list(mail.to),
            "reply_to": mail.reply_to if mail.reply_to != mail.from_address else "",
            "attachments": [f"{a.name} ({a.content_type}, {a.size} bytes)" for a in mail.attachments],
            "truncated": delivery.facts.get("truncated"),
        }
        submission = Submission(
            channel=Channel.EMAIL,
            occurred_at=delivery.received_at,
            emails=(mail.from_address,),
            name=mail.from_name,
            title=mail.subject[:300],
            message=mail.text,
            extra={name: value for name, value in extra.items() if value},
        )
        if reason:
            raise Quarantined(reason, submission)
        return submission


def _not_an_enquiry(mail: MailMessage) -> str | None:
    """Why this is a machine's mail; None for a person's (RFC 3834 section 5, RFC 3464)."""
    if mail.auto_submitted.startswith("auto-"):
        return f"it is automatic: Auto-Submitted is {mail.auto_submitted}"
    if ".portaria@" in mail.message_id:
        return "it is our own mail coming back"
    if mail.null_return_path:
        return "it is a bounce: it has no return path"
    if mail.is_report:
        return "it is a report about a mail's delivery"
    return None
