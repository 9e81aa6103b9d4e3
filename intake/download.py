"""A stored file as an answer: always to be saved, never to be run or shown by the browser."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response

from core import storage


def as_attachment(place: str, name: str) -> Response:
    """The file, under its sender's name (RFC 6266, RFC 8187)."""
    answer = Response(storage.get(place), mimetype="application/octet-stream")
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    answer.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
