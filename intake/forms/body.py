"""The body of a posted form, in each of its three encodings, as names and values.

Pure. Nothing here decides what a name means.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from core.errors import Refused, Unreadable
from core.ids import digest
from intake.text import clean

MOST_FIELDS = 1000
_DEEPEST = 20
URLENCODED, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
CONTENT_TYPES = (URLENCODED, MULTIPART, JSON)
_CODECS = frozenset({"utf-8", "utf8", "us-ascii", "windows-1252", "cp1252", "iso-8859-15", "utf-16"})


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent. Its name is the sender's word and never a path."""

    field: str
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Posted:
    """Names with all their values, in the order sent. Values are text, or JSON's numbers and flags."""

    values: Mapping[str, tuple[Any, ...]]
    files: tuple[Upload, ...] = field(default=())

    def first(self, name: str) -> Any:
        """The first value that is not empty; None where there is none."""
        return next((v for v in self.values.get(name, ()) if v not in ("", None)), None)

    def without(self, names: frozenset[str]) -> Posted:
        """The same without these fields."""
        return Posted({n: vs for n, vs in self.values.items() if n not in names}, self.files)

    def fingerprint(self) -> str:
        """The same for the same content, whatever its encoding and multipart boundary."""
        # What separates them is in no name and no value: both are free of control characters.
        named = "\x01".join(["\x00".join((n, *map(str, vs))) for n, vs in sorted(self.values.items())])
        return digest(named, *(part for f in self.files for part in (f.field, f.name, f.content)))


def read(body: bytes, content_type: str) -> Posted:
    """Raises Refused: 415 for another content type, 400 for what is malformed."""
    kind, options = parse_options_header(content_type)
    kind = kind.lower()
    if kind == URLENCODED:
        return _urlencoded(body, options.get("charset", "utf-8"))
    if kind == MULTIPART:
        return _multipart(body, content_type)
    if kind == JSON:
        return _json(body)
    raise Refused(f"a form is posted as {', '.join(CONTENT_TYPES)}", status=415, reason="wrong_content_type")


def understood(body: bytes, content_type: str) -> Posted:
    """The same for an event that was accepted before: raises Unreadable."""
    try:
        return read(body, content_type)
    except Refused as error:
        raise Unreadable(str(error)) from None


def _malformed(words: str) -> Refused:
    return Refused(words, status=400, reason="malformed")


def _urlencoded(body: bytes, charset: str) -> Posted:
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        # Not allowed by the standard, but sent by hand-written clients: bytes that were never escaped.
        text = body.decode(_codec(charset), errors="replace")
    if text.count("&") >= MOST_FIELDS:
        raise _malformed(f"more than {MOST_FIELDS} fields")
    codec = _codec(charset)
    pairs = list(_pairs(text, codec))
    told = next((v for n, v in pairs if n == "_charset_"), "") if "_charset_" in text else ""
    if told and _codec(told) != codec:
        return _urlencoded(body, told)
    return Posted(_grouped(pairs))


def _pairs(text: str, codec: str) -> Iterator[tuple[str, str]]:
    """Names and values (WHATWG URL Standard, section 5.1), at half the cost of the standard library's."""
    for part in text.replace("+", " ").split("&"):
        if part:
            name, _, value = part.partition("=")
            yield (
                unquote(name, codec) if "%" in name else name,
                unquote(value, codec) if "%" in value else value,
            )


def _codec(charset: str) -> str:
    # Browsers read the name Latin-1 as Windows-1252 (WHATWG Encoding Standard, section 4.2).
    name = charset.strip().lower()
    if name in ("iso-8859-1", "latin-1", "latin1"):
        return "windows-1252"
    return name if name in _CODECS else "utf-8"


def _multipart(body: bytes, content_type: str) -> Posted:
    parser = FormDataParser(max_form_memory_size=None, max_form_parts=MOST_FIELDS, silent=False)
    try:
        _, fields, files = parser.parse(
            BytesIO(body), MULTIPART, len(body), dict(parse_options_header(content_type)[1])
        )
    except RequestEntityTooLarge:
        raise _malformed(f"more than {MOST_FIELDS} parts") from None
    except (ValueError, LookupError, KeyError) as error:
        raise _malformed(f"the multipart body is broken: {error}") from None
    uploads = []
    for name, file in files.items(multi=True):
        content = file.stream.read()
        file.close()
        if content or file.filename:
            uploads.append(
                Upload(clean(name), clean(file.filename or "")[:255], clean(file.content_type or ""), content)
            )
    pairs = MultiDict(fields).items(multi=True)
    return Posted(_grouped(pairs), tuple(uploads))


def _json(body: bytes) -> Posted:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _malformed("the body is no JSON") from None
    if not isinstance(document, dict):
        raise _malformed("the body is no JSON object")
    pairs = list(_flat(document, "", 0))
    if len(pairs) > MOST_FIELDS:
        raise _malformed(f"more than {MOST_FIELDS} fields")
    return Posted(_grouped(pairs))


def _flat(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    """`{"a": {"b": [1, 2]}}` as a[b] = 1 and a[b] = 2."""
    if depth > _DEEPEST:
        raise _malformed(f"nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}[{key}]" if name else str(key), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, name, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _malformed("a number in it is none")  # NaN and 1e999, which JSON itself does not know
    elif value is not None:
        yield name, value


def _grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, tuple[Any, ...]]:
    grouped: dict[str, tuple[Any, ...]] = {}
    for name, value in pairs:
        kept = clean(value) if isinstance(value, str) else value
        name = clean(name)[:200].removesuffix("[]")
        grouped[name] = (*grouped[name], kept) if name in grouped else (kept,)
    return grouped
