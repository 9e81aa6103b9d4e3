"""Bytes of a mail to what a person would read of it. Pure; never fails but with Unreadable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from html import escape

from core.errors import Unreadable
from crm.mail_facts import MailAddress
from intake.mailbox import addresses, header, invitation, tnef
from intake.mailbox.flowed import unflowed
from intake.mailbox.header import Headers
from intake.mailbox.invitation import Invitation
from intake.mailbox.parts import BROKEN, Part, leaves
from intake.mailbox.readable import readable
from intake.text import clean

LONGEST_TEXT = 200_000
_LONGEST_PART = 2_000_000
_MOST_ATTACHMENTS = 200
_MOST_RECIPIENTS = 50
#: What servers on the way have noted of whom a mail was for.
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "x-rcpt-to")
#: Parts that a server or a program has written for a program.
_FOR_PROGRAMS = frozenset(
    {
        *("message/delivery-status", "message/global-delivery-status", "message/feedback-report"),
        *("message/disposition-notification", "text/rfc822-headers", "message/global-headers"),
    }
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is no text of the mail. The name is the sender's word and never a path.

    `content_id` is by what the mail's HTML refers to it, '' where it has none.
    """

    name: str
    content_type: str
    content: bytes = field(repr=False)
    content_id: str = ""

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A mail, understood. Addresses are as written; `date` is the sender's word, None where it is none.

    `items` are the headers in their order. `text` is all of it that can be read, `html` as it was set (''
    where it was not). `reports` are the parts that programs write for programs, `inner` the mails inside of
    it, as bytes.
    """

    headers: Headers = field(repr=False)
    items: tuple[tuple[str, str], ...] = field(repr=False)
    content_type: str
    message_id: str
    sender: MailAddress
    reply_to: tuple[MailAddress, ...]
    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    recipients: tuple[str, ...]
    subject: str
    date: datetime | None
    text: str
    html: str = field(repr=False)
    in_reply_to: str
    references: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    invitation: Invitation | None
    reports: tuple[tuple[str, str], ...] = field(repr=False)
    inner: tuple[bytes, ...] = field(repr=False)

    def header(self, name: str) -> str:
        """The topmost header of this name, '' where there is none."""
        return header.first(self.headers, name)


def read(raw: bytes) -> MailMessage:
    """Raises Unreadable for what is no mail at all."""
    try:
        return _read(raw)
    except RecursionError:
        raise Unreadable("its parts are nested too deeply to be read") from None
    except BROKEN as error:
        raise Unreadable(f"this is no mail that can be read: {type(error).__name__}: {error}"[:500]) from None


def _read(raw: bytes) -> MailMessage:
    # compat32 keeps headers as they came; the newer policy parses them, and fails on broken ones.
    message = BytesParser(policy=policy.compat32).parsebytes(raw)
    headers = header.headers_of(message)
    if not headers:
        raise Unreadable("there is not one header in it")
    senders = addresses.of(headers, "from", 1) or addresses.of(headers, "sender", 1)
    to = addresses.of(headers, "to", _MOST_RECIPIENTS)
    cc = addresses.of(headers, "cc", _MOST_RECIPIENTS)
    noted = [a for name in _DELIVERED for a in addresses.of(headers, name, _MOST_RECIPIENTS)]
    content = _content(list(leaves(message)))
    return MailMessage(
        headers=headers,
        items=tuple((name, str(value)) for name, value in message.raw_items()),
        content_type=message.get_content_type(),
        message_id=_message_id(headers),
        sender=senders[0] if senders else MailAddress("", ""),
        reply_to=addresses.of(headers, "reply-to", 5),
        to=to,
        cc=cc,
        recipients=tuple(dict.fromkeys(a.address for a in (*noted, *to, *cc))),
        subject=header.first(headers, "subject")[:1000],
        date=_date(headers),
        text=content.text(),
        html=content.html(),
        in_reply_to=header.first(headers, "in-reply-to")[:500],
        references=tuple(re.findall(r"<[^<>\s]{1,500}>", header.first(headers, "references")))[-50:],
        attachments=tuple(content.attachments[:_MOST_ATTACHMENTS]),
        invitation=content.invitation,
        reports=tuple(content.reports[:10]),
        inner=tuple(content.inner[:10]),
    )


def _message_id(headers: Headers) -> str:
    return header.first(headers, "message-id")[:500]


def _date(headers: Headers) -> datetime | None:
    try:
        found = parsedate_to_datetime(header.first(headers, "date"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@dataclass(slots=True)
class _Passage:
    """Texts that say the same in two ways: what a mail's alternative holds, or one part that stands alone."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)

    def read(self) -> str:
        plain = "\n".join(self.plain)
        if not plain.strip():
            return self._from_html()
        # Some programs write only that theirs shows HTML, or a link, where the text should be.
        if self.html and len(plain) < 300 and len(other := self._from_html()) > 5 * len(plain):
            return other
        return plain

    def _from_html(self) -> str:
        return "\n".join(readable(html) for html in self.html)

    def shown(self) -> str:
        if self.html:
            return "\n".join(self.html)
        return f"<pre>{escape(chr(10).join(self.plain))}</pre>" if self.read().strip() else ""


@dataclass(slots=True)
class _Content:
    passages: dict[int, _Passage] = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    invitation: Invitation | None = None
    reports: list[tuple[str, str]] = field(default_factory=list)
    inner: list[bytes] = field(default_factory=list)

    def text(self) -> str:
        texts = [clean(passage.read()).strip() for passage in self.passages.values()]
        whole = "\n\n".join(text for text in texts if text)[:LONGEST_TEXT].strip()
        return whole or (self.invitation.summary() if self.invitation else "")

    def html(self) -> str:
        if not any(passage.html for passage in self.passages.values()):
            return ""
        return clean("\n".join(passage.shown() for passage in self.passages.values()))


def _content(parts: Sequence[Part]) -> _Content:
    found = _Content()
    for part in parts:
        if part.is_text:
            passage = found.passages.setdefault(part.alternative or id(part), _Passage())
            (passage.html if part.content_type == "text/html" else passage.plain).append(_text(part))
        elif part.content_type in _FOR_PROGRAMS:
            found.reports.append((part.content_type, part.text(_LONGEST_PART)))
        elif part.content_type == "text/calendar":
            found.invitation = found.invitation or invitation.read(part.text(_LONGEST_PART))
            if part.name or not part.alternative:
                found.attachments.append(_attachment(part))
        elif part.content_type in tnef.TYPES or part.name.lower() == "winmail.dat":
            _unpack(part, found)
        else:
            if part.content_type == "message/rfc822":
                found.inner.append(part.content)
            found.attachments.append(_attachment(part))
    return found


def _text(part: Part) -> str:
    text = part.text(_LONGEST_PART)
    if part.content_type == "text/plain" and part.parameters.get("format", "").lower() == "flowed":
        return unflowed(text, delsp=part.parameters.get("delsp", "").lower() == "yes")
    return text


def _attachment(part: Part) -> Attachment:
    return Attachment(part.name or part.content_type, part.content_type, part.content, part.content_id)


def _unpack(part: Part, found: _Content) -> None:
    """Outlook's own container: its files as if they were attached; itself where it cannot be opened."""
    opened = tnef.read(part.content)
    if opened is None:
        found.attachments.append(_attachment(part))
        return
    found.attachments += [Attachment(f.name, f.content_type, f.content) for f in opened.files]
    # The text stands beside it, but for the few servers that send nothing else.
    if (opened.text or opened.html) and not any(p.read().strip() for p in found.passages.values()):
        html = [opened.html] if opened.html else []
        found.passages[id(part)] = _Passage([opened.text] if opened.text else [], html)
