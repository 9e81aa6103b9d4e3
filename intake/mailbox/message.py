"""Bytes of a mail to what a person would read of it. Pure; never fails but with Unreadable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime

from core.errors import Unreadable
from intake.mailbox import charset
from intake.mailbox.header import opened, raw_text
from intake.mailbox.readable import readable
from intake.text import clean, one_line

_LONGEST_TEXT = 200_000
_LONGEST_PART = 2_000_000
_MOST_PARTS = 2000
_MOST_ATTACHMENTS = 200
# What the standard parser is known to raise on broken mail (cpython issues on email, among them
# nested parentheses in addresses and lying charsets), beside its own errors.
_BROKEN = (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)
_AS_SENT = policy.compat32.clone(linesep="\r\n")
_ADDRESS = re.compile(r"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}")

Headers = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is no text of the mail. The name is the sender's word and never a path."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A mail, understood. Addresses are as written; `date` is the sender's word, None where it is none."""

    message_id: str
    from_name: str
    from_address: str
    reply_to: str
    to: tuple[str, ...]
    subject: str
    date: datetime | None
    text: str
    in_reply_to: str
    references: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    auto_submitted: str
    null_return_path: bool
    is_report: bool


def read(raw: bytes) -> MailMessage:
    """Raises Unreadable for what is no mail at all."""
    try:
        return _read(raw)
    except _BROKEN as error:
        raise Unreadable(f"this is no mail that can be read: {type(error).__name__}: {error}"[:500]) from None


def _read(raw: bytes) -> MailMessage:
    # compat32 keeps headers as they came; the newer policy parses them, and fails on broken ones.
    message = BytesParser(policy=policy.compat32).parsebytes(raw)
    headers = _headers(message)
    if not headers:
        raise Unreadable("there is not one header in it")
    senders = _addresses(headers, "from") or _addresses(headers, "sender")
    name, address = senders[0] if senders else ("", "")
    reply = _addresses(headers, "reply-to")
    text, attachments = _content(message)
    return MailMessage(
        message_id=_header(headers, "message-id")[:500],
        from_name=name[:300],
        from_address=address[:400],
        reply_to=reply[0][1][:400] if reply else "",
        to=tuple(a for _, a in _addresses(headers, "to")[:50]),
        subject=_header(headers, "subject")[:1000],
        date=_date(headers),
        text=text,
        in_reply_to=_header(headers, "in-reply-to")[:500],
        references=tuple(re.findall(r"<[^<>\s]{1,500}>", _header(headers, "references")))[-50:],
        attachments=attachments,
        auto_submitted=_header(headers, "auto-submitted").lower()[:50],
        null_return_path=_header(headers, "return-path").replace(" ", "") == "<>",
        is_report=message.get_content_type() == "multipart/report",
    )


def _headers(message: Message) -> Headers:
    """All headers by name in lower case. Not by `get`, which replaces every byte beyond ASCII."""
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        found.setdefault(name.lower(), []).append(str(value))
    return found


def _header(headers: Headers, name: str) -> str:
    return opened(raw_text(headers[name][0])) if name in headers else ""


def _addresses(headers: Headers, name: str) -> list[tuple[str, str]]:
    raw = [one_line(raw_text(value)) for value in headers.get(name, [])[:10]]
    # The address is found before encoded words are opened: an opened name may hold a comma or an '@'.
    try:
        found = getaddresses(raw)
    except _BROKEN:
        found = []
    if named := [(opened(n), opened(a)) for n, a in found if "@" in a]:
        return named
    inside = _ADDRESS.search(opened(" ".join(raw)))
    return [("", inside[0])] if inside else []


def _date(headers: Headers) -> datetime | None:
    try:
        found = parsedate_to_datetime(_header(headers, "date"))
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
        return plain if plain.strip() else "\n".join(readable(html) for html in self.html)


def _content(message: Message) -> tuple[str, tuple[Attachment, ...]]:
    passages: dict[int, _Passage] = {}
    attachments: list[Attachment] = []
    for part, alternative in _leaves(message):
        content_type = part.get_content_type()
        name = _filename(part)
        # A multipart without parts was cut off, or has no boundary: what is in it is shown as it is.
        broken = content_type.startswith("multipart/")
        if broken or (
            content_type in ("text/plain", "text/html")
            and not name
            and part.get_content_disposition() != "attachment"
        ):
            passage = passages.setdefault(alternative or id(part), _Passage())
            text = charset.text(_payload(part)[:_LONGEST_PART], _charset(part))
            (passage.html if content_type == "text/html" else passage.plain).append(text)
        elif len(attachments) < _MOST_ATTACHMENTS:
            kind = one_line(content_type)[:100]
            attachments.append(Attachment(name or kind, kind, len(_payload(part))))
    texts = [clean(passage.read()).strip() for passage in passages.values()]
    return "\n\n".join(text for text in texts if text)[:_LONGEST_TEXT].strip(), tuple(attachments)


def _leaves(message: Message) -> Iterator[tuple[Message, int]]:
    """The leaves in order, each with its outermost alternative (0: none).

    Without recursion: a hostile mail nests deeper than Python does.
    """
    waiting: list[tuple[Message, int]] = [(message, 0)]
    seen = 0
    while waiting and seen < _MOST_PARTS:
        part, alternative = waiting.pop()
        seen += 1
        # A text is not asked for here: it would be decoded, by a charset that may be no name at all.
        inner = part.get_payload() if part.is_multipart() else None
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            if part.get_content_subtype() == "alternative":
                alternative = alternative or id(part)
            waiting.extend((p, alternative) for p in reversed(inner) if isinstance(p, Message))
        else:
            yield part, alternative


def _payload(part: Message) -> bytes:
    try:
        if part.is_multipart():  # message/rfc822: a mail inside the mail
            return b"".join(p.as_bytes(policy=_AS_SENT) for p in part.get_payload() if isinstance(p, Message))
        raw = part.get_payload(decode=True)
    except _BROKEN:
        return b""
    return raw if isinstance(raw, bytes) else b""


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except _BROKEN:
        return None


def _filename(part: Message) -> str:
    """The last component of the name that the part gives itself, '' where it gives none."""
    probe = Message()  # with its headers as text: `get` on the part replaces every byte beyond ASCII
    for name, value in part.raw_items():
        if name.lower() in ("content-type", "content-disposition"):
            probe[name] = one_line(raw_text(str(value)))
    try:
        name = probe.get_filename() or ""
    except _BROKEN:
        return ""
    return re.split(r"[/\\]", opened(str(name)))[-1].strip(' ."')[:255]
