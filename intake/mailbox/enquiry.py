"""Who asks for what in a mail: the writer, whoever a colleague passed on, whom a form or portal tells of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crm.mail_facts import MailAddress
from crm.submission import NOTHING, Found, UploadedFile
from intake.mailbox import addresses, contact_form, containers, forwarded, markers, quotes, signature
from intake.mailbox.message import Attachment, MailMessage
from intake.mailbox.notifications import OWN, Notification
from intake.mailbox.ours import Ours
from intake.mailbox.verdict import is_nobody
from intake.text import one_line

#: A smaller picture that the text refers to is a logo or the like, and no file that somebody sends.
_DECORATION = 40_000
_REPLIES = re.compile(r"\s*(?:re|aw|res|resp|antw|sv|rv)\s*(?:\[\d{1,3}\])?\s*[:：]", re.IGNORECASE)
_PREFIX = re.compile(
    r"^\s*(?:(?:fwd?|enc|wg|tr|rv|res?env|転送)\s*(?:\[\d{1,3}\])?\s*[:：]\s*)+", re.IGNORECASE
)
_VIA = re.compile(
    r"^['\"“]?(.+?)['\"”]? (?:via|através de|a través de|über|par le biais de) .+$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Enquiry:
    """What the mail asks, and for whom. `by` is how the person was found, '' for who wrote it themselves."""

    person: MailAddress
    title: str
    message: str
    phones: tuple[str, ...] = ()
    company: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[UploadedFile, ...] = ()
    found: Found = NOTHING
    by: str = ""


def of_person(mail: MailMessage, person: MailAddress, country: str | None, by: str = "") -> Enquiry:
    """Of a mail that somebody wrote themselves."""
    apart = quotes.split(containers.unarmoured(mail.text), passed_on=markers.passed_on(mail.subject))
    message = apart.text
    if mail.invitation and (summary := mail.invitation.summary()) not in message:
        message = f"{message}\n\n{summary}".strip()
    return Enquiry(
        person=person,
        title=mail.subject[:300],
        message=message,
        files=_files(mail.attachments, mail.html),
        found=signature.found(apart.text, apart.signature, name=person.name, country=country),
        by=by,
    )


def passed_on(
    mail: MailMessage, ours: Ours, country: str | None, notifications: Iterable[Notification] = ()
) -> Enquiry | None:
    """Of a stranger's mail that one of ours has forwarded; None where nothing of the kind is in it.

    Of a portal's or a form's mail that was forwarded it is whom that tells of.
    """
    says_so = markers.passed_on(mail.subject)
    # A colleague who answers somebody, and has us read it, quotes them: that is no forwarding.
    if not says_so and _REPLIES.match(mail.subject):
        return None
    found = forwarded.original(mail, ours.includes)
    if found is None:
        return None
    marked = says_so or mail.inner or any(map(markers.opens_forward, mail.text.split("\n")[:500]))
    # Outlook only repeats the header, above an answer as well: that goes to whom it answers.
    recipients = {address.lower() for address in mail.recipients}
    if not marked and (not found.sender.address or found.sender.address.lower() in recipients):
        return None
    note = quotes.split(found.note).text
    extra = {"forwarded_by": mail.sender.address, "forwarding_note": note[:20_000]}
    inside = replace(
        mail, sender=found.sender, subject=found.subject, text=found.text, html="", reply_to=(), headers={}
    )
    mapping = next((n for n in notifications if n.fits(inside)), None)
    if mapping is not None or is_nobody(found.sender.address):
        of_form = told(inside, ours, mapping)
        if of_form is not None:
            return replace(of_form, extra={**of_form.extra, **extra})
    apart = quotes.split(found.text)
    return Enquiry(
        person=found.sender,
        title=(found.subject or _PREFIX.sub("", mail.subject))[:300],
        message=apart.text,
        extra=extra,
        files=_files(found.attachments or mail.attachments, mail.html),
        found=signature.found(apart.text, apart.signature, name=found.sender.name, country=country),
        by="forwarded",
    )


def told(mail: MailMessage, ours: Ours, notification: Notification | None) -> Enquiry | None:
    """Of a portal's or a form's mail, by the mapping that fits or by the labels that forms use.

    None where neither finds anything.
    """
    values = notification.read(mail.text) if notification else contact_form.read(mail)
    if not values:
        return None
    address = addresses.first_in(values.get("email", ""))
    answered = answer_to(mail, ours)
    name = values.get("name", "")
    parts = [values.get("first_name", ""), values.get("last_name", "")]
    if any(parts) and not all(p in name for p in parts if p):
        # Where a form asks for one part by its own name, 'name' is the other part.
        name = " ".join(p for p in (parts[0], name, parts[1]) if p)
    if not address and answered:
        address, name = answered.address, name or answered.name
    return Enquiry(
        person=MailAddress(name[:300], address),
        title=(values.get("title") or mail.subject)[:300],
        message=values.get("message") or mail.text,
        phones=(values["phone"][:64],) if values.get("phone") else (),
        company=values.get("company", "")[:300],
        fields={key: value for key, value in values.items() if key not in OWN},
        extra={"notification": notification.name or "mapped"} if notification else {},
        files=_files(mail.attachments, mail.html),
        by="mapping" if notification else "contact form",
    )


def answer_to(mail: MailMessage, ours: Ours) -> MailAddress | None:
    """A person whom the mail names to be answered instead of its sender; None where it names nobody."""
    for one in (*mail.reply_to, *_rewritten(mail)):
        other = one.address.lower() != mail.sender.address.lower()
        if other and not ours.includes(one.address) and not is_nobody(one.address):
            name = one.name or mail.sender.name
            via = _VIA.match(name)
            return MailAddress(via[1] if via else name, one.address)
    return None


def _rewritten(mail: MailMessage) -> Iterable[MailAddress]:
    """Whom a group's server noted before it put the group's address into From (Google Groups)."""
    for name in ("x-original-from", "x-original-sender", "x-google-original-from"):
        yield from addresses.of(mail.headers, name, 1)


def _files(attachments: Iterable[Attachment], html: str) -> tuple[UploadedFile, ...]:
    kept = []
    for one in attachments:
        shown = one.content_id and f"cid:{one.content_id}" in html
        small = one.content_type.startswith("image/") and one.size < _DECORATION
        if not (shown and small) and not containers.is_signature(one.content_type):
            kept.append(UploadedFile("attachment", one_line(one.name), one.content_type, one.content))
    return tuple(kept)
