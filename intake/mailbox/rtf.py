"""Rich text as Outlook keeps it inside of winmail.dat: unpacked (MS-OXRTFCP), and read (MS-OXRTFEX)."""

from __future__ import annotations

import re
import struct

from intake.mailbox import charset

_LARGEST = 4_000_000
_BEFORE = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor "
    rb"MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_TOKEN = re.compile(
    rb"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)"
)
_SILENT = frozenset(
    {b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"header", b"footer"}
)
_SIGNS = {b"par": "\n", b"line": "\n", b"tab": "\t", b"lquote": "‘", b"rquote": "’", b"bullet": "•"} | {
    b"ldblquote": "“",
    b"rdblquote": "”",
    b"endash": "–",
    b"emdash": "—",
}


def unpacked(raw: bytes) -> bytes:
    """The rich text out of its compressed form; empty where it is none."""
    if len(raw) < 16:
        return b""
    size, kind = struct.unpack_from("<4xI4s", raw)
    if kind == b"MELA":
        return raw[16 : 16 + min(size, _LARGEST)]
    if kind != b"LZFu":
        return b""
    out = bytearray(_BEFORE)
    at, end = 16, len(raw)
    limit = min(size, _LARGEST) + len(_BEFORE)
    while at < end and len(out) < limit:
        flags, at = raw[at], at + 1
        for bit in range(8):
            if at >= end:
                break
            if not flags >> bit & 1:
                out.append(raw[at])
                at += 1
                continue
            if at + 1 >= end:
                return bytes(out[len(_BEFORE) : limit])
            word = raw[at] << 8 | raw[at + 1]
            at += 2
            place, length = word >> 4, (word & 15) + 2
            # The window is a ring of 4096 bytes: how far back lies what is meant?
            back = (len(out) - place) % 4096
            if back == 0:
                return bytes(out[len(_BEFORE) : limit])
            for _ in range(length):
                out.append(out[-back] if back <= len(out) else 32)
    return bytes(out[len(_BEFORE) : limit])


def read(raw: bytes) -> tuple[str, bool]:
    """The text, and whether it is HTML that was packed into rich text."""
    is_html = b"\\fromhtml" in raw[:1000]
    codepage = found[1].decode() if (found := re.search(rb"\\ansicpg(\d{1,5})", raw[:1000])) else "1252"
    pieces: list[str] = []
    pending = bytearray()
    # Of each group that is open: whether it is silent, and how many signs stand for a \u that is not known.
    groups: list[tuple[bool, int]] = []
    silent, skip_after, skip, hidden = False, 1, 0, False
    for token in _TOKEN.finditer(raw[:_LARGEST]):
        byte, word, number, sign, brace, text = token.groups()
        if byte is not None or text is not None:
            content = bytes([int(byte, 16)]) if byte is not None else text
            if skip and byte is not None:
                skip -= 1
                continue
            content, skip = content[skip:], max(0, skip - len(content))
            if not silent and not (hidden and is_html):
                pending += content
            continue
        if pending:
            pieces.append(charset.text(bytes(pending), f"cp{codepage}"))
            pending.clear()
        if brace == b"{":
            groups.append((silent, skip_after))
        elif brace == b"}":
            silent, skip_after = groups.pop() if groups else (False, 1)
        elif sign is not None:
            if sign == b"*":
                silent = True
            elif not silent and not hidden and sign in b"\\{}":
                pieces.append(sign.decode())
            elif not silent and sign == b"~":
                pieces.append("\u00a0")
        elif word == b"htmltag" and is_html:
            silent = False
        elif word == b"htmlrtf":
            hidden = number != b"0"
        elif word in _SILENT:
            silent = True
        elif word == b"uc":
            skip_after = min(int(number or 1), 10)
        elif silent or (hidden and is_html):
            continue
        elif word == b"u" and number:
            pieces.append(chr(int(number) % 65536))
            skip = skip_after
        elif sign_of := _SIGNS.get(word):
            pieces.append(sign_of)
    pieces.append(charset.text(bytes(pending), f"cp{codepage}"))
    # A pair of surrogates is one letter.
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace"), is_html
