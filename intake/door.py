"""What every way in over HTTP shares: one blueprint, its refusals, a delivery and its journal entry."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException

from core.errors import NotFound, PortariaError, Refused, Unavailable
from core.logs import logger
from core.metrics import ACCEPTED, REFUSED, REPEATED
from intake import problems
from intake.form_lane import cors, form_of
from intake.journal import Entry, Receipt
from intake.writer import PATIENCE, Writer

door = Blueprint("door", __name__, url_prefix="/in", template_folder="templates", static_folder="static")
#: What every answer of the door has.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}
log = logger(__name__)


@door.errorhandler(PortariaError)
def refused(error: PortariaError) -> Response:
    """Counts and logs what was not let in, without a word of its content."""
    channel = [*request.path.split("/"), "", ""][2].rstrip("s")
    reason = error.reason if isinstance(error, Refused) else type(error).__name__.lower()
    REFUSED.labels(channel if channel in ("form", "call", "webhook") else "other", reason).inc()
    # What follows a source's address may hold its secret.
    log.info("door.refused", path="/".join(request.path.split("/")[:5])[:100], reason=reason)
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
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
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
    answer.headers.extend(cors(form, origin))
    return answer
