"""A request as it arrives, before any framework: the delivery it is, and from whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wsgi import get_content_length

from core import clock
from core.errors import Refused
from core.settings import settings
from intake.delivery import Delivery
from intake.forms import body

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, WSGIEnvironment

# Of a body that is not taken: how much is read all the same, and in which portions.
_MOST_PASSED, _CHUNK = 64 * 1024 * 1024, 64 * 1024


def largest(environ: WSGIEnvironment) -> int:
    """The most bytes of a form's body that we take."""
    multipart = environ.get("CONTENT_TYPE", "").lower().startswith(body.MULTIPART)
    return settings().max_upload_bytes if multipart else settings().max_form_bytes


def delivery(environ: WSGIEnvironment, limit: int) -> Delivery:
    """The request as it came, its body whole. Raises Refused where it is too large or was cut off."""
    query = environ.get("QUERY_STRING", "")
    headers = {
        name[5:].replace("_", "-").lower(): value[:2000]
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    content_type = environ.get("CONTENT_TYPE", "")
    if content_type:
        headers["content-type"] = content_type[:2000]
    return Delivery(
        body=_whole_body(environ, limit),
        content_type=content_type[:200],
        received_at=clock.now(),
        method=environ["REQUEST_METHOD"],
        url=settings().address + path(environ) + (f"?{query}" if query else ""),
        headers=headers,
        remote_address=client_address(environ),
    )


def path(environ: WSGIEnvironment) -> str:
    """The path that was asked for. WSGI hands bytes over as Latin-1 (PEP 3333)."""
    told: str = environ.get("PATH_INFO", "")
    return told if told.isascii() else told.encode("latin-1").decode(errors="replace")


def client_address(environ: WSGIEnvironment) -> str:
    """The address of whoever asks; what a proxy says counts only if we were told to trust that proxy."""
    address: str = environ.get("REMOTE_ADDR") or ""
    trusted = settings().trusted_proxies
    if address in trusted:
        told = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        hops = [hop.strip() for hop in told if hop.strip()]
        while address in trusted and hops:
            address = hops.pop()
    return address[:64]


def let_pass(environ: WSGIEnvironment) -> None:
    """Reads on, within bounds, what nobody has read: most senders want an answer only once all is sent."""
    if not environ.get("wsgi.input_terminated"):
        return  # where it ends, only its sender knows: we would wait for the next request
    left = _MOST_PASSED
    try:
        while left > 0 and (part := environ["wsgi.input"].read(min(left, _CHUNK))):
            left -= len(part)
    except OSError:
        return  # it has gone away


def _whole_body(environ: WSGIEnvironment, limit: int) -> bytes:
    told = get_content_length(environ)
    if told is None and not environ.get("wsgi.input_terminated"):
        told = 0  # where such a body would end, this server does not know
    try:
        raw = _read(environ["wsgi.input"], limit + 1 if told is None else min(told, limit + 1))
    except OSError:
        raise Refused("the body did not arrive whole", status=400, reason="cut_off") from None
    if len(raw) > limit:
        raise Refused(f"larger than {limit} bytes", status=413, reason="too_large")
    if told is not None and len(raw) < told:
        raise Refused("the body did not arrive whole", status=400, reason="cut_off")
    return raw


def _read(stream: InputStream, most: int) -> bytes:
    # Nearly always all of it comes at once; another look would have to wait for Python's lock.
    raw = stream.read(most)
    while 0 < len(raw) < most and (more := stream.read(most - len(raw))):
        raw += more
    return raw
