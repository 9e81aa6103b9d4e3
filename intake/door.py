"""What every way in over HTTP shares: one blueprint, its refusals, a delivery and its journal entry."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Request, Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from core import clock
from core.errors import NotFound, PortariaError, Refused, Unavailable
from core.logs import logger
from core.metrics import ACCEPTED, REFUSED, REPEATED
from core.settings import settings
from intake import problems, sources
from intake.delivery import Delivery
from intake.forms import body
from intake.forms.settings import FormSettings
from intake.journal import Entry, Receipt
from intake.sources import LoadedSource
from intake.writer import PATIENCE, Writer
from models.source import Channel

door = Blueprint("door", __name__, url_prefix="/in", template_folder="templates", static_folder="static")
log = logger(__name__)


@door.errorhandler(PortariaError)
def refused(error: PortariaError) -> Response:
    """Counts and logs what was not let in, without a word of its content."""
    channel = [*request.path.split("/"), "", ""][2].rstrip("s")
    reason = error.reason if isinstance(error, Refused) else type(error).__name__.lower()
    REFUSED.labels(channel if channel in ("form", "call") else "other", reason).inc()
    log.info("door.refused", path=request.path[:100], reason=reason)
    return with_cors(problems.of_error(request, error))


@door.errorhandler(HTTPException)
def refused_by_flask(error: HTTPException) -> Response:
    """What Flask itself refuses: an unknown address, a wrong method, a body that is too large."""
    status = error.code or 500
    REFUSED.labels("other", f"http_{status}").inc()
    headers = {k: v for k, v in error.get_headers() if k == "Allow"}
    return with_cors(problems.problem(request, status, error.description or "", headers=headers))


@door.after_request
def bounded(answer: Response) -> Response:
    """Our own pages load nothing but our own style; a site may show the form in a frame."""
    answer.headers.setdefault(
        "Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'"
    )
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    return answer


def journal(
    entries: Sequence[Entry], channel: str, *, patience: float = PATIENCE, keep: bool = False
) -> list[Receipt]:
    """Returns once all entries are durably committed, together; else as `Writer.journal`."""
    writer: Writer = current_app.extensions["journal"]
    receipts = writer.journal(entries, patience=patience, keep=keep)
    for receipt in receipts:
        (ACCEPTED if receipt.new else REPEATED).labels(channel).inc()
    return receipts


def form_of(key: str) -> tuple[LoadedSource, FormSettings]:
    """The form of this key. Raises NotFound, or Unavailable where its secrets cannot be opened."""
    source = sources.book().sources.get((Channel.FORM, key))
    if source is None:
        raise NotFound("there is no such form")
    return source, source.read(FormSettings)


def largest(incoming: Request) -> int:
    """The most bytes of a body that we take."""
    multipart = (incoming.content_type or "").lower().startswith(body.MULTIPART)
    return settings().max_upload_bytes if multipart else settings().max_form_bytes


def delivery(limit: int) -> Delivery:
    """The request as it came, its body whole. Raises Refused where it is too large or was cut off."""
    request.max_content_length = limit
    try:
        raw = request.get_data(cache=False, parse_form_data=False)
    except RequestEntityTooLarge:
        raise Refused(f"larger than {limit} bytes", status=413, reason="too_large") from None
    except OSError:
        raise Refused("the body did not arrive whole", status=400, reason="cut_off") from None
    if request.content_length is not None and len(raw) < request.content_length:
        raise Refused("the body did not arrive whole", status=400, reason="cut_off")
    query = request.query_string.decode("latin-1")
    return Delivery(
        body=raw,
        content_type=(request.content_type or "")[:200],
        received_at=clock.now(),
        method=request.method,
        url=settings().address + request.path + (f"?{query}" if query else ""),
        headers={name.lower(): value[:2000] for name, value in request.headers.items()},
        remote_address=client_address(request),
    )


def client_address(incoming: Request) -> str:
    """The address of whoever asks; what a proxy says counts only if we were told to trust that proxy."""
    address = incoming.remote_addr or ""
    trusted = settings().trusted_proxies
    hops = [hop.strip() for hop in incoming.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    while address in trusted and hops:
        address = hops.pop()
    return address[:64]


def with_cors(answer: Response) -> Response:
    """Lets scripts of the form's allowed sites, and of no others, read the answer (Fetch standard)."""
    parts = request.path.split("/")
    origin = request.headers.get("Origin")
    if origin is None or len(parts) < 4 or parts[2] != "forms":
        return answer
    try:
        _, form = form_of(parts[3])
    except (NotFound, Unavailable):
        return answer
    answer.headers["Vary"] = "Origin"
    if origin in form.allowed_origins:
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Allow-Methods"] = "POST"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type, Idempotency-Key"
        answer.headers["Access-Control-Max-Age"] = "600"
    return answer
