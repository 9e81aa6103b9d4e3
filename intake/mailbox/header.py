"""A header's bytes as text: raw 8-bit as it was meant, encoded words (RFC 2047) opened."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from email.message import Message

from intake.mailbox import charset
from intake.text import one_line

#: All headers by name in lower case, each with its values as they came, the topmost first.
Headers = Mapping[str, Sequence[str]]
#: No header that a person wrote is longer; what is beyond it is not read.
LONGEST = 20_000
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bq])\?([^?]*)\?=", re.IGNORECASE)


def headers_of(message: Message) -> Headers:
    """All headers of a mail or a part. Not by `get`, which replaces every byte beyond ASCII."""
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        found.setdefault(name.lower(), []).append(str(value))
    return found


def first(headers: Headers, name: str) -> str:
    """The topmost header of this name, opened; '' where there is none."""
    return opened(raw_text(headers[name][0])) if name in headers else ""


def raw_text(value: str) -> str:
    """The header as it came, unopened. The parser keeps bytes beyond ASCII as lone surrogates."""
    return charset.text(value[:LONGEST].encode("utf-8", "surrogateescape"))


def opened(value: str) -> str:
    """The text with its encoded words opened, on one line.

    Neighbouring words of one charset are joined before they are decoded: many writers cut a
    character in two.
    """
    pieces: list[str] = []
    pending, name, end = b"", "", 0
    for found in _WORD.finditer(value):
        between = value[end : found.start()]
        own = found[1].partition("*")[0].lower()  # RFC 2231 section 5 adds a language
        if (end == 0 or between.strip() or own != name) and pending:
            pieces.append(charset.text(pending, name))
            pending = b""
        if end == 0 or between.strip():
            pieces.append(between)
        pending, name, end = pending + _word(found), own, found.end()
    if pending:
        pieces.append(charset.text(pending, name))
    return one_line("".join([*pieces, value[end:]]))


def _word(found: re.Match[str]) -> bytes:
    content = found[3].encode("utf-8", "surrogateescape")
    if found[2] in "qQ":
        return binascii.a2b_qp(content, header=True)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", content)
    if len(letters) % 4 == 1:  # six bits are no byte: something was cut off
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
