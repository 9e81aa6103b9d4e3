"""What makes two copies of a mail the same mail: its Message-ID and its content, not the way it came."""

from __future__ import annotations

import re

from core.ids import digest

_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(<[^<>\r\n]{1,900}>)", re.IGNORECASE | re.MULTILINE)
#: Written by the sender. What relays add (Received, Delivered-To …) differs between two folders or aliases.
_OF_THE_SENDER = re.compile(rb"^(?:from|subject|date):[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)


def fingerprint(raw: bytes) -> str:
    """The same for each copy of a mail. A reused Message-ID with other content is another mail.

    One without a Message-ID is known by every byte of it: two may be alike and still be two.
    """
    head, body = _split(raw)
    found = _MESSAGE_ID.search(head)
    if found is None:
        return f"mail:{digest(b'', raw)}"
    written = sorted(line.rstrip(b"\r\n") for line in _OF_THE_SENDER.findall(head))
    return f"mail2:{digest(found[1], b'%d' % len(written), *written, body)}"


def older(raw: bytes) -> str:
    """As the first release knew a mail; what it journalled is found by it."""
    found = _MESSAGE_ID.search(_split(raw)[0])
    return f"mail:{digest(found[1] if found else b'', raw)}"


def _split(raw: bytes) -> tuple[bytes, bytes]:
    end = raw.find(b"\r\n\r\n")
    return (raw, b"") if end < 0 else (raw[: end + 4], raw[end + 4 :])
