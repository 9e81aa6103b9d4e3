"""A mail as an enquiry: who wrote it, about what, in which words; or as what a machine tells by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from core.errors import Quarantined, Unreadable
from crm.mail_facts import Automatic, Bounce, InvitationAnswer, MailFacts, OutOfOffice, Told
from crm.submission import LeftFile, Submission
from intake.adapter import Adapter
from intake.delivery import Delivery
from intake.errand import TRIES, Errand, MessagePlace
from intake.mailbox import authentication, containers, enquiry, markers, out_of_office, quotes, verdict
from intake.mailbox.enquiry import Enquiry
from intake.mailbox.fingerprint import fingerprint
from intake.mailbox.message import MailMessage, read
from intake.mailbox.ours import Ours
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.verdict import Verdict
from intake.text import one_line
from models.source import Channel

_MOST_LEFT = 50


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

    def errand(self, delivery: Delivery, settings: MailboxSettings) -> Errand | None:
        """What the server would not give is asked for once more when somebody replays the event."""
        facts = delivery.facts
        if not facts.get("fetch_error") or TRIES not in facts:  # they are counted from a replay on
            return None
        place = MessagePlace(settings.key, facts["folder"], facts["uidvalidity"], facts["uid"])
        return Errand(message=place, patience=5)

    def parse(self, delivery: Delivery, settings: MailboxSettings) -> Submission | Told:
        """What somebody asks, or what a machine says of a mail of ours.

        Raises Unreadable, or Quarantined with the reason for what is most likely no enquiry.
        """
        if error := delivery.facts.get("fetch_error"):
            raise Unreadable(f"the server would not give this message: {error}")
        mail = read(delivery.body)
        ours = Ours.of(settings)
        machine = verdict.certain(mail, ours.wrote)
        if machine is not None:
            return _of_machine(delivery, settings, mail, machine)
        found, reason = _understood(mail, settings, ours)
        if not (found.person.address or found.phones or found.person.name):
            if reason is None:
                raise Unreadable("nobody is named as its sender")
            raise Quarantined(reason.reason)
        submission = _submission(delivery, settings, mail, found, reason.automatic if reason else None)
        if reason is not None:
            raise Quarantined(reason.reason, submission)
        return submission


def _understood(mail: MailMessage, settings: MailboxSettings, ours: Ours) -> tuple[Enquiry, Verdict | None]:
    """The enquiry, and why it is none after all."""
    notification = next((n for n in settings.notifications if n.fits(mail)), None)
    if notification is not None:
        if (told := enquiry.told(mail, ours, notification)) is not None:
            return told, None
        called = notification.name or notification.subject or ", ".join(notification.sender)
        empty = Verdict(Automatic.NOTICE, f"the mapping '{called}' is for it, but finds nothing in it")
        return enquiry.of_person(mail, mail.sender, settings.country), empty
    from_us = ours.includes(mail.sender.address)
    if (
        from_us
        and (found := enquiry.passed_on(mail, ours, settings.country, settings.notifications)) is not None
    ):
        return found, None
    likely = verdict.likely(mail, ours.domains)
    answered = enquiry.answer_to(mail, ours)
    if (likely or answered or from_us) and (told := enquiry.told(mail, ours, None)) is not None:
        same = answered is not None and answered.address.lower() == told.person.address.lower()
        # Newsletters repeat our own data below; a form names whom to answer, too.
        if same or likely is None or likely.automatic is Automatic.NOTICE:
            return told, None
    nobody = verdict.is_nobody(mail.sender.address)
    if answered and (nobody or ours.wrote(mail.sender.address)):
        found = enquiry.of_person(mail, answered, settings.country, by="reply-to")
        return found, None if likely is None or likely.by_sender else likely
    written = enquiry.of_person(mail, mail.sender, settings.country)
    if likely is None and ours.wrote(mail.sender.address):
        return written, verdict.from_us(mail.sender.address)
    return written, likely


def _of_machine(delivery: Delivery, settings: MailboxSettings, mail: MailMessage, machine: Verdict) -> Told:
    """What a machine tells of our own mails. Raises Quarantined for what tells nothing of them."""
    found = enquiry.of_person(mail, mail.sender, settings.country)
    submission = _submission(delivery, settings, mail, found, machine.automatic)
    facts = submission.mail
    if facts is not None and machine.automatic is Automatic.BOUNCE and machine.report is not None:
        report = machine.report
        return Bounce(
            mail=facts,
            recipients=report.recipients,
            reason=machine.reason,
            submission=submission,
            original_message_id=report.original_message_id,
            original_headers=report.original_headers,
        )
    if facts is not None and machine.automatic is Automatic.OUT_OF_OFFICE:
        return OutOfOffice(
            mail=facts,
            sender=facts.sender,
            reason=machine.reason,
            submission=submission,
            until=out_of_office.until(facts.text, mail.date or delivery.received_at),
            original_message_id=mail.in_reply_to or next(iter(mail.references[-1:]), ""),
            text=facts.text,
        )
    told = mail.invitation
    if facts is not None and machine.automatic is Automatic.CALENDAR and told is not None and told.attendee:
        return InvitationAnswer(
            mail=facts,
            uid=told.uid,
            sequence=told.sequence,
            attendee=told.attendee,
            answer=told.answer if told.method == "REPLY" else "",
            comment=told.comment,
            reason=machine.reason,
            submission=submission,
        )
    raise Quarantined(machine.reason, submission)


def _submission(
    delivery: Delivery,
    settings: MailboxSettings,
    mail: MailMessage,
    found: Enquiry,
    automatic: Automatic | None,
) -> Submission:
    facts = _facts(mail, settings, automatic)
    left = tuple(_left(delivery, settings, mail.message_id))
    # Of what was left only the headers are here, which read as an empty file.
    files = [f for f in found.files if f.content or not left]
    named = [f"{a.name} ({a.content_type}, {a.size} bytes)" for a in mail.attachments if a.size or not left]
    extra: dict[str, Any] = {
        "message_id": mail.message_id,
        "date": mail.date.isoformat() if mail.date else None,
        "to": [a.address for a in mail.to],
        "cc": [a.address for a in mail.cc],
        "reply_to": facts.reply_to.address if facts.reply_to else "",
        "attachments": named + [f"{f.name or f.content_type} (left on the mail server)" for f in left],
        "authentication": facts.authentication.words if facts.authentication else None,
        "closed": containers.kind(mail),
        "truncated": delivery.facts.get("truncated"),
        **found.extra,
    }
    return Submission(
        channel=Channel.EMAIL,
        occurred_at=delivery.received_at,
        emails=(found.person.address,) if found.person.address else (),
        phones=found.phones,
        name=found.person.name,
        company=found.company,
        title=found.title,
        message=found.message,
        fields=found.fields,
        extra={name: value for name, value in extra.items() if value},
        files=tuple(files),
        left=left,
        mail=facts,
        found=found.found,
    )


def _left(delivery: Delivery, settings: MailboxSettings, message_id: str) -> Iterator[LeftFile]:
    """What of a large mail was not fetched with it."""
    facts = delivery.facts
    for one in facts.get("left", ())[:_MOST_LEFT]:
        place = {
            "mailbox": settings.key,
            "folder": facts.get("folder"),
            "uidvalidity": facts.get("uidvalidity"),
            "uid": facts.get("uid"),
            "part": one["part"],
            "encoding": one.get("encoding", ""),
            "message_id": message_id,
            "message_size": facts.get("size"),
        }
        yield LeftFile(one_line(one["name"])[:200], one["content_type"], one["size"], place)


def _facts(mail: MailMessage, settings: MailboxSettings, automatic: Automatic | None) -> MailFacts:
    answered = next((r for r in mail.reply_to if r.address.lower() != mail.sender.address.lower()), None)
    return MailFacts(
        message_id=mail.message_id,
        sender=mail.sender,
        subject=mail.subject,
        in_reply_to=mail.in_reply_to,
        references=mail.references,
        reply_to=answered,
        to=mail.to,
        cc=mail.cc,
        recipients=mail.recipients,
        date=mail.date,
        text=quotes.split(mail.text, passed_on=markers.passed_on(mail.subject)).text,
        whole_text=mail.text,
        has_html=bool(mail.html),
        authentication=authentication.read(mail.items, settings.authserv_id),
        automatic=automatic,
    )
