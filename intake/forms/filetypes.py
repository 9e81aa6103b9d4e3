"""What a file is, by its content: its name and the type it was sent with promise nothing. Pure."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from pathlib import PurePosixPath

import puremagic

_OFFICE = "application/vnd.openxmlformats-officedocument."
#: Taken where a form names no types: what people send, and nothing that runs.
USUAL = (
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/heic", "image/tiff", "image/bmp"),
    *("audio/*", "video/*", "application/pdf", "text/plain", "text/csv", "application/zip"),
    *(
        _OFFICE + kind
        for kind in ("wordprocessingml.document", "spreadsheetml.sheet", "presentationml.presentation")
    ),
    *("application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"),
    "application/vnd.oasis.opendocument.*",
)
#: Of what no type is known.
UNKNOWN = "application/octet-stream"
# What any MP3 with a tag of ID3 2.3 begins like, and nobody sends.
_FORGOTTEN = "audio/vnd.audiokoz"
_LOOKED_AT = 64 * 1024
_RUNS = (b"#!", b"<?php", b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")


def kind_of(content: bytes, name: str) -> str:
    """The file's media type. The name's ending only chooses between types that begin alike."""
    ending = PurePosixPath(name).suffix.lower()
    try:
        found = puremagic.magic_string(content[:_LOOKED_AT], filename=f"x{ending}" if ending else None)
    except (puremagic.PureError, ValueError):
        return _text(content, ending)
    for match in found:
        # A match without bytes is one by the name alone.
        if match.byte_match and match.mime_type not in ("", _FORGOTTEN):
            return str(match.mime_type)
    return _text(content, ending) if not any(match.byte_match for match in found) else UNKNOWN


def _text(content: bytes, ending: str) -> str:
    start = content[:_LOOKED_AT]
    if not start or b"\0" in start or runs(start):
        return UNKNOWN
    try:
        start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:
            return UNKNOWN
    return "text/csv" if ending == ".csv" else "text/plain"


def runs(content: bytes) -> bool:
    """Whether a machine would run it if it were asked to."""
    return content.startswith(_RUNS)


def is_taken(kind: str, accept: Iterable[str]) -> bool:
    """Whether a file of this type may be handed over; `accept` names endings (pdf) and types (image/*)."""
    wanted = [_named(word) for word in accept] or USUAL
    return any(kind == w or (w.endswith("*") and kind.startswith(w[:-1])) for w in wanted)


def _named(word: str) -> str:
    if "/" in word:
        return word.lower()
    return mimetypes.guess_type(f"x.{word.lower().lstrip('.')}")[0] or word.lower()


def size(number: int) -> str:
    """A size as people say it, such as `10 MB`."""
    for unit, factor in (("MB", 1_000_000), ("kB", 1000)):
        if number >= factor:
            return f"{number / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{number} B"
