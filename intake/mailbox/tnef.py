"""What is in a winmail.dat: the container in which Outlook hides files and texts (MS-OXTNEF).

One pass over views of the bytes. `tnefparse` copies the rest of the container for each attribute, and takes
minutes for a hostile one; see docs/decisions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from intake.mailbox import charset, rtf
from intake.text import one_line

TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")
_SIGNATURE = 0x223E9F78
_MOST_ATTRIBUTES = 5000
_MOST_FILES = 200
_LONGEST_TEXT = 2_000_000
# Attributes (section 2.1.3.3)
_FILE_BEGINS, _FILE_TITLE, _FILE_DATA, _FILE_PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
_BODY, _PROPERTIES, _CODEPAGE = 0x800C, 0x9003, 0x9007
# Properties (MS-OXPROPS)
_P_BODY, _P_HTML, _P_RTF, _P_CODEPAGE = 0x1000, 0x1013, 0x1009, 0x3FDE
_P_NAME, _P_LONG_NAME, _P_DATA, _P_TYPE = 0x3704, 0x3707, 0x3701, 0x370E
_FIXED = {
    **dict.fromkeys((0x0002, 0x0003, 0x0004, 0x000A, 0x000B), 4),
    **dict.fromkeys((0x0005, 0x0006, 0x0007, 0x0014, 0x0040), 8),
    0x0048: 16,
}
_STRING, _UNICODE, _OBJECT, _BINARY = 0x001E, 0x001F, 0x000D, 0x0102
_MANY = 0x1000


@dataclass(slots=True)
class HiddenFile:
    """A file out of the container. The name is the sender's word."""

    name: str = ""
    content_type: str = "application/octet-stream"
    content: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Opened:
    """Files, and the text where the container has it."""

    files: list[HiddenFile] = field(default_factory=list)
    text: str = ""
    html: str = ""


class _Broken(Exception):
    pass


def read(raw: bytes) -> Opened | None:
    """What is in it, as far as it can be read; None where it is no such container."""
    if len(raw) < 6 or struct.unpack_from("<I", raw)[0] != _SIGNATURE:
        return None
    found = Opened()
    codepage = "cp1252"
    for level, name, data in _attributes(memoryview(raw)):
        try:
            if level == 2:
                _file(found, name, data, codepage)
            elif name == _CODEPAGE and len(data) >= 4:
                codepage = f"cp{struct.unpack_from('<I', data)[0]}"
            elif name == _BODY:
                found.text = found.text or charset.text(bytes(data[:_LONGEST_TEXT]), codepage).strip("\0")
            elif name == _PROPERTIES:
                _texts(found, dict(_properties(data)), codepage)
        except (_Broken, struct.error):
            continue
    found.files = [f for f in found.files if f.content]
    return found


def _attributes(raw: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    at = 6
    for _ in range(_MOST_ATTRIBUTES):
        if at + 9 > len(raw):
            return
        level, name, _, length = struct.unpack_from("<BHHI", raw, at)
        yield level, name, raw[at + 9 : at + 9 + length]
        at += 9 + length + 2  # a checksum follows


def _file(found: Opened, name: int, data: memoryview, codepage: str) -> None:
    if name == _FILE_BEGINS and len(found.files) < _MOST_FILES:
        found.files.append(HiddenFile())
    if not found.files:
        return
    file = found.files[-1]
    if name == _FILE_TITLE:
        file.name = file.name or _name(charset.text(bytes(data[:1000]), codepage))
    elif name == _FILE_DATA:
        file.content = bytes(data)
    elif name == _FILE_PROPERTIES:
        known = dict(_properties(data))
        for title in (_P_NAME, _P_LONG_NAME):
            file.name = _name(_string(known.get(title), codepage)) or file.name
        file.content_type = _name(_string(known.get(_P_TYPE), codepage)).lower()[:100] or file.content_type
        if not file.content and (value := known.get(_P_DATA)):
            # An object begins with the 16 bytes that name its interface.
            file.content = bytes(value[1][16:] if value[0] == _OBJECT else value[1])


def _texts(found: Opened, known: dict[int, tuple[int, memoryview]], codepage: str) -> None:
    if (value := known.get(_P_CODEPAGE)) and len(value[1]) >= 4:
        number = struct.unpack_from("<I", value[1])[0]
        codepage = "utf-8" if number == 65001 else f"cp{number}"
    found.text = _string(known.get(_P_BODY), codepage).strip("\0") or found.text
    if html := known.get(_P_HTML):
        found.html = _string((_STRING, html[1]), codepage).strip("\0")
    elif (packed := known.get(_P_RTF)) and (unpacked := rtf.unpacked(bytes(packed[1]))):
        text, is_html = rtf.read(unpacked)
        found.html, found.text = (text, found.text) if is_html else ("", found.text or text)


def _properties(data: memoryview) -> Iterator[tuple[int, tuple[int, memoryview]]]:
    """Each property's id with the type and bytes of its first value."""
    at = 4
    for _ in range(min(struct.unpack_from("<I", data)[0], _MOST_ATTRIBUTES)):
        if at + 4 > len(data):
            return
        kind, name = struct.unpack_from("<HH", data, at)
        at += 4
        if name >= 0x8000:
            at = _after_name(data, at)
        many, kind = bool(kind & _MANY), kind & ~_MANY
        count = 1
        if many or kind in (_STRING, _UNICODE, _OBJECT, _BINARY):
            count = struct.unpack_from("<I", data, at)[0]
            at += 4
        if count > _MOST_ATTRIBUTES:
            raise _Broken
        first: memoryview | None = None
        for _ in range(count):
            if (size := _FIXED.get(kind)) is None:
                if kind not in (_STRING, _UNICODE, _OBJECT, _BINARY):
                    raise _Broken
                size = struct.unpack_from("<I", data, at)[0]
                at += 4
            if at + size > len(data):
                raise _Broken
            first = data[at : at + size] if first is None else first
            at += size + (-size % 4)
        if first is not None:
            yield name, (kind, first)


def _after_name(data: memoryview, at: int) -> int:
    """Behind the long name of a property: a GUID, then a number or a text."""
    kind, size = struct.unpack_from("<II", data, at + 16)
    return at + 24 + (size + (-size % 4) if kind else 0)


def _string(value: tuple[int, memoryview] | None, codepage: str) -> str:
    if value is None or value[0] not in (_STRING, _UNICODE, _BINARY):
        return ""
    raw = bytes(value[1][:_LONGEST_TEXT])
    return raw.decode("utf-16-le", "replace") if value[0] == _UNICODE else charset.text(raw, codepage)


def _name(text: str) -> str:
    return one_line(text.split("\0")[0]).replace("\\", "/").rpartition("/")[2].strip(' ."')[:255]
