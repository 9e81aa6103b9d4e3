"""Messages out of a folder, unread as they were; of a large one what a person would read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from intake.delivery import Delivery
from intake.mailbox import parts
from intake.mailbox.wire import Client
from intake.text import one_line

#: Of a message that is too large: so much of its headers and of each text, and so many of its parts.
_MOST_TEXT = 2_000_000
_MOST_PARTS = 50
_DEEPEST = 20
#: A part is asked for in pieces, so that a server that lies about its size fills nobody's memory.
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message as the server gave it."""

    uid: int
    body: bytes
    facts: Mapping[str, Any]

    def delivery(self, folder: str, uidvalidity: int | None, now: datetime) -> Delivery:
        """As the journal takes it."""
        facts = {**self.facts, "folder": folder, "uidvalidity": uidvalidity}
        return Delivery(
            body=self.body, content_type="message/rfc822", received_at=now, method="IMAP", facts=facts
        )


def measure(server: Client, uids: list[int]) -> dict[int, int]:
    """How large each is, as the server says; 0 where it does not."""
    found = server.fetch(uids, ["RFC822.SIZE"])
    return {uid: int(found.get(uid, {}).get(b"RFC822.SIZE") or 0) for uid in uids}


def fetch(server: Client, uids: list[int], sizes: Mapping[int, int], most: int) -> list[Fetched]:
    """Those that the server gave, in order."""
    whole = [uid for uid in uids if sizes[uid] <= most]
    found: dict[int, Any] = server.fetch(whole, ["BODY.PEEK[]", "INTERNALDATE"]) if whole else {}
    messages = []
    for uid in uids:
        if sizes[uid] > most:
            if (slim := _slim(server, uid, sizes[uid], most)) is not None:
                messages.append(slim)
            continue
        data = found.get(uid, {})
        body = data.get(b"BODY[]")
        if isinstance(body, bytes):
            facts = _facts(uid, data)
            if len(body) > most:  # its size was not the truth
                facts |= {"truncated": True, "size": len(body)}
                body = _head(body)[:most]
            messages.append(Fetched(uid, body, facts))
    return messages


def headers(server: Client, uid: int, most: int) -> bytes:
    """The headers of a message that is not to be had; empty where these are not, too."""
    try:
        found = server.fetch([uid], ["BODY.PEEK[HEADER]"])
    except IMAPClientAbortError:
        raise
    except IMAPClientError:
        return b""
    body = found.get(uid, {}).get(b"BODY[HEADER]")
    return body[:most] if isinstance(body, bytes) else b""


def part(server: Client, uid: int, number: str, most: int) -> bytearray | None:
    """One part as it is encoded, piece by piece: None where there is none, ValueError beyond `most` bytes."""
    held = bytearray()
    while True:
        item = f"BODY.PEEK[{number}]<{len(held)}.{_PIECE}>"
        found = server.fetch([uid], [item]).get(uid, {})
        pieces = [v for k, v in found.items() if k.startswith(b"BODY[") and isinstance(v, bytes)]
        if not pieces:
            return held or None
        held += pieces[0]
        if len(held) > most:
            raise ValueError(f"it has more than {most} bytes")
        if len(pieces[0]) < _PIECE:
            return held


def _facts(uid: int, data: Mapping[bytes, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {"uid": uid}
    if isinstance(date := data.get(b"INTERNALDATE"), datetime):
        with suppress(ValueError):  # a zone may be a day or more away
            facts["internaldate"] = date.isoformat()
    return facts


def _slim(server: Client, uid: int, size: int, most: int) -> Fetched | None:
    """Headers and texts, put together again without what is attached; that stays on the server."""
    data = server.fetch([uid], ["BODY.PEEK[HEADER]", "INTERNALDATE"]).get(uid, {})
    head = data.get(b"BODY[HEADER]")
    if not isinstance(head, bytes):
        return None
    facts = _facts(uid, data) | {"truncated": True, "size": size}
    head = head[:most]
    left: list[dict[str, Any]] = []
    try:
        structure = server.fetch([uid], ["BODYSTRUCTURE"]).get(uid, {}).get(b"BODYSTRUCTURE")
        text = _part(server, uid, structure, "", left) if structure else b""
    except IMAPClientAbortError:
        raise
    except (IMAPClientError, ValueError, TypeError, IndexError, AttributeError, RecursionError):
        text = b""  # a structure that cannot be understood: its headers are enough for a lead
    if left:
        facts["left"] = left
    return Fetched(uid, (head + text)[:most], facts)


def _part(server: Client, uid: int, structure: Any, number: str, left: list[dict[str, Any]]) -> bytes:
    """What of a part is kept, behind its own headers."""
    if not structure.is_multipart:
        return _leaf(server, uid, structure, number or "1", number or "TEXT", left)
    boundary = _parameters(structure[2]).get("boundary", "") if len(structure) > 2 else ""
    inner = list(structure[0])[:_MOST_PARTS]
    if not boundary or number.count(".") > _DEEPEST:
        return b""
    kept = b""
    for place, part in enumerate(inner, 1):
        own = f"{number}.{place}" if number else str(place)
        kept += f"--{boundary}\r\n".encode() + _mime(server, uid, own)
        kept += _part(server, uid, part, own, left) + b"\r\n"
    return kept + f"--{boundary}--\r\n".encode()


def _leaf(
    server: Client, uid: int, structure: Any, number: str, section: str, left: list[dict[str, Any]]
) -> bytes:
    kind = f"{_word(structure[0])}/{_word(structure[1])}"
    disposition, given = _disposition(structure)
    name = parts.named(given, _parameters(structure[2]))
    if kind in ("text/plain", "text/html") and disposition != "attachment" and not name:
        item = f"BODY.PEEK[{section}]<0.{_MOST_TEXT}>"
        found = server.fetch([uid], [item]).get(uid, {})
        texts = [v for k, v in found.items() if k.startswith(b"BODY[") and isinstance(v, bytes)]
        return texts[0] if texts else b""
    size = structure[6] if isinstance(structure[6], int) else 0
    told = {"part": number, "name": name[:255], "content_type": kind[:100], "size": size}
    left.append({**told, "encoding": _word(structure[5])[:20]})
    return b""


def _mime(server: Client, uid: int, number: str) -> bytes:
    found = server.fetch([uid], [f"BODY.PEEK[{number}.MIME]"]).get(uid, {})
    head = found.get(f"BODY[{number}.MIME]".encode())
    head = head if isinstance(head, bytes) else b""
    return head if head.endswith(b"\r\n\r\n") else head.rstrip(b"\r\n") + b"\r\n\r\n"


def _disposition(structure: Any) -> tuple[str, dict[str, str]]:
    for item in structure[7:]:
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], bytes):
            kind = _word(item[0])
            if kind in ("attachment", "inline") or isinstance(item[1], tuple):
                return kind, _parameters(item[1])
    return "", {}


def _parameters(given: Any) -> dict[str, str]:
    return {k.lower(): v for k, v in _pairs(given)}


def _pairs(given: Any) -> Iterator[tuple[str, str]]:
    if isinstance(given, tuple):
        for name, value in zip(given[::2], given[1::2], strict=False):
            if isinstance(name, bytes) and isinstance(value, bytes):
                yield name.decode("utf-8", "replace"), value.decode("utf-8", "replace")


def _word(value: Any) -> str:
    # A server may put anything into a literal, also what no database takes.
    return one_line(value.decode("ascii", "replace")).lower() if isinstance(value, bytes) else ""


def _head(body: bytes) -> bytes:
    end = body.find(b"\r\n\r\n")
    return body[: end + 4] if end >= 0 else body
