"""A stored file as an answer: to be saved or, if it is sound, to be heard; never to be run.

Only a picture that somebody of ours handed in is shown."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from core import storage


def as_attachment(place: str, name: str) -> Response:
    """The file, under its sender's name (RFC 6266, RFC 8187)."""
    return content(storage.get(place), name)


def content(given: bytes, name: str) -> Response:
    """The same for content at hand."""
    answer = Response(given, mimetype="application/octet-stream")
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    answer.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def table(lines: Iterable[str], name: str) -> Response:
    """A table as CSV, sent while it is made. `name` is ours."""
    answer = Response((line.encode() for line in lines), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def as_picture(place: str, kind: str) -> Response:
    """A picture of ours, to be shown; whatever else is in it never runs."""
    answer = Response(storage.get(place), mimetype=kind)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def as_sound(place: str, kind: str, size: int) -> Response:
    """A recording of this media type and size, whole or in the part that was asked for (RFC 9110 section 14).

    Only that part is read. Raises RequestedRangeNotSatisfiable for one that begins behind the end.
    """
    wanted = request.range
    part = None
    if wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1:
        part = wanted.range_for_length(size)
        if part is None:
            raise RequestedRangeNotSatisfiable(size)
    start, end = part or (0, size)
    content = storage.get(place) if part is None else storage.get_part(place, start, end)
    answer = Response(content, 206 if part else 200)
    answer.mimetype = kind if kind.startswith("audio/") else "application/octet-stream"
    if part:
        answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    answer.headers["Accept-Ranges"] = "bytes"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; media-src 'self'; sandbox"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
