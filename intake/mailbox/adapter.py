"""A mail as an enquiry: who wrote it, about what, in which words."""

from __future__ import annotations

from typing import ClassVar

from core.errors import Quarantined, Unreadable
from crm.mail_facts import Automatic, Bounce, MailAddress, MailFacts, OutOfOffice
from crm.submission import Submission
from intake.adapter import Adapter
from intake.delivery import Delivery
from intake.mailbox.fingerprint import fingerprint
from intake.mailbox.message import MailMessage, read
from intake.mailbox.settings import MailboxSettings
from models.source import Channel


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
        return fingerprint(delivery.body)

    def parse(self, delivery: Delivery, settings: MailboxSettings) -> Submission | Bounce | OutOfOffice:
        """The sender as the person, the subject as the title, the text as the message."""
        if error := delivery.facts.get("fetch_error"):
            raise Unreadable(f"the server would not give this message: {error}")
        mail = read(delivery.body)
        verdict = _not_an_enquiry(mail)
        if verdict and not mail.from_address:
            raise Quarantined(verdict[1])
        if not mail.from_address:
            raise Unreadable("nobody is named as its sender")
        facts = _facts(mail, verdict[0] if verdict else None)
        extra = {
            "message_id": mail.message_id,
            "date": mail.date.isoformat() if mail.date else None,
            "to": list(mail.to),
            "reply_to": facts.reply_to.address if facts.reply_to else "",
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
            mail=facts,
        )
        return _told(facts, mail, verdict[1], submission) if verdict else submission


def _told(facts: MailFacts, mail: MailMessage, reason: str, submission: Submission) -> Bounce | OutOfOffice:
    """A machine's mail as what it tells. Raises Quarantined for what tells nothing of our own."""
    if facts.automatic is Automatic.BOUNCE:
        return Bounce(facts, (), reason, submission)
    if facts.automatic is Automatic.OUT_OF_OFFICE:
        return OutOfOffice(facts, facts.sender, reason, submission, None, mail.in_reply_to, mail.text)
    raise Quarantined(reason, submission)


def _facts(mail: MailMessage, automatic: Automatic | None) -> MailFacts:
    to = tuple(MailAddress("", address) for address in mail.to)
    return MailFacts(
        message_id=mail.message_id,
        sender=MailAddress(mail.from_name, mail.from_address),
        subject=mail.subject,
        in_reply_to=mail.in_reply_to,
        references=mail.references,
        reply_to=MailAddress("", mail.reply_to) if mail.reply_to not in ("", mail.from_address) else None,
        to=to,
        recipients=mail.to,
        date=mail.date,
        text=mail.text,
        whole_text=mail.text,
        automatic=automatic,
    )


def _not_an_enquiry(mail: MailMessage) -> tuple[Automatic, str] | None:
    """What machine wrote this, and how it shows; None for a person's (RFC 3834 section 5, RFC 3464)."""
    if ".portaria@" in mail.message_id:
        return Automatic.OWN, "it is our own mail coming back"
    if mail.auto_submitted.startswith("auto-replied"):
        return Automatic.REPLY, f"it is automatic: Auto-Submitted is {mail.auto_submitted}"
    if mail.auto_submitted.startswith("auto-"):
        return Automatic.NOTICE, f"it is automatic: Auto-Submitted is {mail.auto_submitted}"
    if mail.null_return_path:
        return Automatic.BOUNCE, "it is a bounce: it has no return path"
    if mail.is_report:
        return Automatic.BOUNCE, "it is a report about a mail's delivery"
    return None
