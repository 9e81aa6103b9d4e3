"""Bytes of a mail to what a person would read of it. Pure; never fails but with Unreadable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.errors import MessageError
from email.header import decode_header
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from html.parser import HTMLParser

from core.errors import Unreadable
from intake.text import clean, one_line

_LONGEST_TEXT = 200_000
_LONGEST_HEADER = 20_000
_MOST_PARTS = 2000
_MOST_ATTACHMENTS = 200
# What the standard parser is known to raise on broken mail (cpython issues on email, among them
# nested parentheses in addresses and lying charsets), beside its own errors.
_BROKEN = (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)


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


def read(raw: bytes) -> MailMessage:
    """Raises Unreadable for what is no mail at all."""
    try:
        return _read(raw)
    except _BROKEN as error:
        raise Unreadable(f"this is no mail that can be read: {type(error).__name__}: {error}"[:500]) from None


def _read(raw: bytes) -> MailMessage:
    # compat32 keeps headers as they came; the newer policy parses them, and fails on broken ones.
    message = BytesParser(policy=policy.compat32).parsebytes(raw)
    if not message.keys():
        raise Unreadable("there is not one header in it")
    senders = _addresses(message, "From") or _addresses(message, "Sender")
    name, address = senders[0] if senders else ("", "")
    reply = _addresses(message, "Reply-To")
    text, attachments = _content(message)
    return MailMessage(
        message_id=_header(message, "Message-ID")[:500],
        from_name=name[:300],
        from_address=address[:400],
        reply_to=reply[0][1][:400] if reply else "",
        to=tuple(a for _, a in _addresses(message, "To")[:50]),
        subject=_header(message, "Subject")[:1000],
        date=_date(message),
        text=text,
        in_reply_to=_header(message, "In-Reply-To")[:500],
        references=tuple(re.findall(r"<[^<>\s]{1,500}>", _header(message, "References")))[-50:],
        attachments=attachments,
        auto_submitted=_header(message, "Auto-Submitted").lower()[:50],
        null_return_path=_header(message, "Return-Path").replace(" ", "") == "<>",
    )


def _header(message: Message, name: str) -> str:
    raw = message.get(name)
    return "" if raw is None else one_line(_decoded(str(raw)[:_LONGEST_HEADER]))


def _decoded(raw: str) -> str:
    """Encoded words (RFC 2047) and raw bytes, which the parser keeps as lone surrogates, as text."""
    plain = raw.encode("ascii", "surrogateescape") if raw.isascii() or _has_bytes(raw) else raw.encode()
    text = _text(plain, None)
    if "=?" not in text:
        return text
    try:
        parts = decode_header(text.replace("\n", " ").replace("\r", " "))
    except _BROKEN:
        return text
    return "".join(p if isinstance(p, str) else _text(p, charset) for p, charset in parts)


def _has_bytes(raw: str) -> bool:
    return any("\udc80" <= c <= "\udcff" for c in raw) and all(
        c < "\x80" or "\udc80" <= c <= "\udcff" for c in raw
    )


def _text(raw: bytes, charset: str | None) -> str:
    """The bytes as text: as they say, else as UTF-8, else as Windows-1252."""
    for name in (charset, "utf-8", "windows-1252"):
        if name:
            try:
                return raw.decode(name)
            except (LookupError, ValueError):
                continue
    return raw.decode("windows-1252", "replace")


def _addresses(message: Message, name: str) -> list[tuple[str, str]]:
    raw = [str(value)[:_LONGEST_HEADER] for value in message.get_all(name, [])]
    # The address is found before encoded words are opened: an opened name may hold a comma or an '@'.
    found = getaddresses([value.replace("\r", " ").replace("\n", " ") for value in raw])
    named = [(one_line(_decoded(n)), one_line(_decoded(a))) for n, a in found if "@" in a]
    if named:
        return named
    inside = re.search(r"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}", one_line(_decoded(" ".join(raw))))
    return [("", inside[0])] if inside else []


def _date(message: Message) -> datetime | None:
    try:
        found = parsedate_to_datetime(_header(message, "Date"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC) if found else None


def _content(message: Message) -> tuple[str, tuple[Attachment, ...]]:
    plain = html = ""
    attachments: list[Attachment] = []
    for part in _parts(message):
        content_type = part.get_content_type()
        raw = _payload(part)
        name = part.get_filename()
        is_text = (
            content_type in ("text/plain", "text/html") and part.get_content_disposition() != "attachment"
        )
        if is_text and not name and content_type == "text/plain" and not plain:
            plain = _text(raw, part.get_content_charset())[:_LONGEST_TEXT]
        elif is_text and not name and content_type == "text/html" and not html:
            html = _text(raw, part.get_content_charset())[: _LONGEST_TEXT * 5]
        elif (name or not is_text) and len(attachments) < _MOST_ATTACHMENTS:
            shown = one_line(_decoded(str(name)))[:255] if name else content_type
            attachments.append(Attachment(shown, content_type[:100], len(raw)))
    text = plain if plain.strip() else readable(html)
    return clean(text).strip()[:_LONGEST_TEXT], tuple(attachments)


def _parts(message: Message) -> Iterator[Message]:
    """The leaves, in order, without recursion: a hostile mail nests deeper than Python does."""
    waiting = [message]
    seen = 0
    while waiting and seen < _MOST_PARTS:
        part = waiting.pop()
        seen += 1
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            waiting.extend(p for p in reversed(list(inner)) if isinstance(p, Message))
        else:
            yield part


def _payload(part: Message) -> bytes:
    inner = part.get_payload()
    if isinstance(inner, list):  # message/rfc822: a mail inside the mail
        return b"".join(p.as_bytes() for p in inner if isinstance(p, EmailMessage | Message))
    raw = part.get_payload(decode=True)
    return raw if isinstance(raw, bytes) else b""


class _Readable(HTMLParser):
    _SILENT = frozenset({"script", "style", "head", "title", "template"})
    _BLOCKS = frozenset(
        {"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "blockquote", "ul", "ol"}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._SILENT:
            self._silent += 1
        elif tag in self._BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in self._BLOCKS and tag != "br":
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(re.sub(r"\s+", " ", data))


def readable(html: str) -> str:
    """HTML as text: blocks on lines of their own, nothing of scripts and styles."""
    if not html:
        return ""
    reader = _Readable()
    reader.feed(html)
    reader.close()
    lines = [line.strip() for line in "".join(reader.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
