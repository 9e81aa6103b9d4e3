"""The door for HTTP: authenticate, bound, journal, answer. Nothing is understood here that can wait."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Request, Response, current_app, jsonify, redirect, render_template, request
from sqlalchemy.orm import undefer
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from core import clock, db
from core.errors import Invalid, NotFound, PortariaError, Refused, Unavailable
from core.logs import logger
from core.metrics import ACCEPTED, REFUSED, REPEATED
from core.settings import settings
from intake import calls, problems, sources
from intake.delivery import Delivery
from intake.forms import body, web_form
from intake.forms.settings import FormSettings
from intake.journal import Entry, Receipt
from intake.sources import LoadedSource
from intake.writer import Writer
from models.inbound import InboundEvent
from models.source import Channel

door = Blueprint("door", __name__, url_prefix="/in", template_folder="templates", static_folder="static")
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'"
FORM = web_form.WebForm()
log = logger(__name__)


@door.errorhandler(PortariaError)
def refused(error: PortariaError) -> Response:
    """Counts and logs what was not let in, without a word of its content."""
    channel = [*request.path.split("/"), "", ""][2].rstrip("s")
    reason = error.reason if isinstance(error, Refused) else type(error).__name__.lower()
    REFUSED.labels(channel if channel in ("form", "call") else "other", reason).inc()
    log.info("door.refused", path=request.path[:100], reason=reason)
    return _with_cors(problems.of_error(request, error))


@door.errorhandler(HTTPException)
def refused_by_flask(error: HTTPException) -> Response:
    """What Flask itself refuses: an unknown address, a wrong method, a body that is too large."""
    status = error.code or 500
    REFUSED.labels("other", f"http_{status}").inc()
    headers = {k: v for k, v in error.get_headers() if k == "Allow"}
    return _with_cors(problems.problem(request, status, error.description or "", headers=headers))


@door.after_request
def bounded(answer: Response) -> Response:
    """Our own pages load nothing but our own style; a site may show the form in a frame."""
    answer.headers.setdefault(
        "Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'"
    )
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    return answer


@door.get("/forms/<key>", provide_automatic_options=False)
def hosted_form(key: str) -> str:
    """The form as a page of our own."""
    source, form = _form(key)
    return _form_page(source, form, {}, {})


@door.get("/forms/<key>/thanks")
def thanks(key: str) -> str:
    """Where a browser goes after it has posted, unless the form says where else."""
    source, _ = _form(key)
    return render_template("thanks.html", source=source)


@door.route("/forms/<key>", methods=["OPTIONS"])
def preflight(key: str) -> Response:
    """Tells a script of an allowed site that it may post (Fetch standard, CORS-preflight)."""
    _form(key)
    return _with_cors(Response(status=204))


@door.post("/forms/<key>", provide_automatic_options=False)
def post_form(key: str) -> Response:
    """A submission: journalled, then answered."""
    source, form = _form(key)
    delivery = _delivery(_limit(request))
    FORM.verify(delivery, form)
    posted = body.read(delivery.body, delivery.content_type)
    found = web_form.mistakes(posted, form, form.country or sources.book().workspace.country)
    if found:
        REFUSED.labels("form", "invalid_fields").inc()
        if problems.wants_page(request):
            values = {name: web_form.one_of(v) for name, v in posted.values.items()}
            return Response(_form_page(source, form, values, found), 422, mimetype="text/html")
        raise Invalid("some fields need another look", found)
    if not any(v not in ("", None) for vs in posted.values.values() for v in vs) and not posted.files:
        raise Refused("the form is empty", status=400, reason="empty")
    key_, again = FORM.keys(delivery, posted)
    receipt = _journal(Entry(source.id, FORM.name, key_, delivery, again), "form")
    if not receipt.new and not again and _differs(receipt, posted):
        reason = f"its Idempotency-Key was used for other content: event {receipt.event_id}"
        other = f"{key_[:120]}:{posted.fingerprint()}"
        _journal(Entry(source.id, FORM.name, other, delivery, apart=reason), "form")
    if problems.wants_page(request):
        return redirect(form.redirect or f"{settings().address}/in/forms/{key}/thanks", 303)  # type: ignore[return-value]
    answer = jsonify({"event_id": receipt.event_id, "status": "accepted" if receipt.new else "repeated"})
    answer.status_code = 202
    return _with_cors(answer)


@door.route("/calls/<provider>/<key>", methods=["GET", "POST"])
def call_event(provider: str, key: str) -> Response:
    """What a telephony provider tells: verified, journalled, answered as the provider expects it."""
    adapter = calls.BY_NAME.get(provider)
    source = sources.book().sources.get((Channel.CALL, key))
    if adapter is None or source is None or source.settings.get("provider") != provider:
        raise NotFound("there is no such line")
    if request.method != "POST":
        raise Refused("this provider posts its events", status=405, reason="wrong_method")
    delivery = _delivery(settings().max_form_bytes)
    if delivery.content_type.split(";")[0].strip().lower() not in adapter.content_types:
        raise Refused(
            f"expected {' or '.join(adapter.content_types)}", status=415, reason="wrong_content_type"
        )
    line = source.read(adapter.settings)
    adapter.verify(delivery, line)
    _journal(Entry(source.id, adapter.name, adapter.dedupe_key(delivery, line), delivery), "call")
    content, content_type = adapter.answer()
    return Response(content, 200, content_type=content_type)


def _differs(receipt: Receipt, posted: body.Posted) -> bool:
    """Whether the event that has this key holds another submission."""
    with db.reading() as session:
        row = session.get_one(InboundEvent, receipt.event_id, options=[undefer(InboundEvent.body)])
        before = body.read(row.body, row.content_type)
    return before.fingerprint() != posted.fingerprint()


def _journal(entry: Entry, channel: str) -> Receipt:
    writer: Writer = current_app.extensions["journal"]
    receipt = writer.journal(entry)
    (ACCEPTED if receipt.new else REPEATED).labels(channel).inc()
    return receipt


def _form(key: str) -> tuple[LoadedSource, FormSettings]:
    source = sources.book().sources.get((Channel.FORM, key))
    if source is None:
        raise NotFound("there is no such form")
    return source, source.read(FormSettings)


def _limit(incoming: Request) -> int:
    multipart = (incoming.content_type or "").lower().startswith(body.MULTIPART)
    return settings().max_upload_bytes if multipart else settings().max_form_bytes


def _delivery(limit: int) -> Delivery:
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


def _form_page(
    source: LoadedSource, form: FormSettings, values: dict[str, Any], found: dict[str, str]
) -> str:
    return render_template("form.html", source=source, form=form, values=values, mistakes=found)


def _with_cors(answer: Response) -> Response:
    parts = request.path.split("/")
    origin = request.headers.get("Origin")
    if origin is None or len(parts) < 4 or parts[2] != "forms":
        return answer
    try:
        _, form = _form(parts[3])
    except (NotFound, Unavailable):
        return answer
    answer.headers["Vary"] = "Origin"
    if origin in form.allowed_origins:
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Allow-Methods"] = "POST"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type, Idempotency-Key"
        answer.headers["Access-Control-Max-Age"] = "600"
    return answer
