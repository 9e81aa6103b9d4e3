"""The door for forms: the hosted page, its widget, and what they and others post."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from flask import Response, jsonify, redirect, request
from sqlalchemy.orm import undefer

from core import db
from core.errors import Invalid, NotFound, Refused
from core.metrics import REFUSED
from core.settings import settings
from intake import form_page as page
from intake import problems, rates, sources
from intake.delivery import Delivery
from intake.door import delivery, door, form_of, journal, largest, with_cors
from intake.forms import body, captcha, checks, marks, spam, web_form
from intake.forms.settings import FormSettings
from intake.journal import Entry, Receipt
from intake.sources import LoadedSource
from models.inbound import EventState, InboundEvent

FORM = web_form.WebForm()


@door.get("/forms/<key>", provide_automatic_options=False)
def hosted_form(key: str) -> Response:
    """The form as a page of our own."""
    source, form = form_of(key)
    return page.form_page(source, form, language_of(form))


@door.get("/forms/<key>/thanks")
def thanks(key: str) -> Response:
    """Where a browser goes after it has posted, unless the form says where else."""
    source, form = form_of(key)
    return page.thanks_page(source, form, language_of(form), confirm=form.protection.confirm_email)


@door.get("/forms/<key>/widget.js")
def widget(key: str) -> Response:
    """The script that puts the form into any page."""
    source, form = form_of(key)
    return with_cors(page.widget(source, form, language_of(form)))


@door.get("/forms/<key>/start", provide_automatic_options=False)
def start(key: str) -> Response:
    """What a script needs to begin: our mark and, where the form asks for a proof of work, a riddle."""
    _, form = form_of(key)
    return with_cors(page.start(form))


@door.route("/forms/<key>", methods=["OPTIONS"])
@door.route("/forms/<key>/start", methods=["OPTIONS"])
@door.route("/forms/<key>/receipts/<uuid:event_id>", methods=["OPTIONS"])
def preflight(key: str, event_id: object = None) -> Response:
    """Tells a script of an allowed site that it may post (Fetch standard, CORS-preflight)."""
    form_of(key)
    return with_cors(Response(status=204))


@door.get("/forms/<key>/receipts/<uuid:event_id>", provide_automatic_options=False)
def receipt(key: str, event_id: object) -> Response:
    """What became of an accepted submission, without a word of its content."""
    source, _ = form_of(key)
    with db.reading() as session:
        row = session.get(InboundEvent, str(event_id))
        if row is None or row.source_id != source.id:
            raise NotFound("there is no such receipt")
        said = {EventState.RECEIVED: "accepted", EventState.PROCESSED: "processed"}.get(row.state, "kept")
        answer = jsonify({"event_id": row.id, "status": said, "received_at": row.received_at.isoformat()})
    return with_cors(answer)


@door.post("/forms/<key>", provide_automatic_options=False)
def post_form(key: str) -> Response:
    """A submission: journalled, then answered."""
    source, form = form_of(key)
    sent = delivery(largest(request))
    FORM.verify(sent, form)
    _hold_up_floods(form, sent)
    posted = body.read(sent.body, sent.content_type)
    if mistakes := _mistakes(source, form, posted):
        return mistakes
    if not any(v not in ("", None) for vs in posted.values.values() for v in vs) and not posted.files:
        raise Refused("the form is empty", status=400, reason="empty")
    sent = replace(sent, facts=_observed(form, posted, sent))
    own_key, again = FORM.keys(sent, posted)
    (given,) = journal([Entry(source.id, FORM.name, own_key, sent, again)], "form")
    if not given.new and not again and _differs(given, posted):
        reason = f"its Idempotency-Key was used for other content: event {given.event_id}"
        other = f"{own_key[:120]}:{posted.fingerprint()}"
        journal([Entry(source.id, FORM.name, other, sent, apart=reason)], "form")
    if problems.wants_page(request):
        return redirect(_onward(form, posted), 303)  # type: ignore[return-value]
    answer = jsonify({"event_id": given.event_id, "status": "accepted" if given.new else "repeated"})
    answer.status_code = 202
    return with_cors(answer)


def _mistakes(source: LoadedSource, form: FormSettings, posted: body.Posted) -> Response | None:
    """The form again, or the errors for a script; None where it can be taken."""
    language = language_of(form)
    country = form.country or sources.book().workspace.country
    found = checks.mistakes(posted, form, country, language)
    if not found:
        return None
    REFUSED.labels("form", "invalid_fields").inc()
    if problems.wants_page(request):
        return page.form_page(source, form, language, posted=posted, mistakes=found)
    raise Invalid("some fields need another look", found)


def _hold_up_floods(form: FormSettings, sent: Delivery) -> None:
    protection = form.protection
    seconds = rates.flooding(protection.per_address, form.key, sent.remote_address) or rates.flooding(
        protection.per_form, form.key
    )
    if seconds is not None:
        raise Refused(
            "too many posts; please try again later", status=429, reason="rate", retry_after=seconds
        )


def _observed(form: FormSettings, posted: body.Posted, sent: Delivery) -> dict[str, object]:
    """What only the door can know of how the form came to be filled in."""
    protection, key = form.protection, settings().key()
    facts: dict[str, object] = {}
    given = posted.first(web_form.MARK)
    if given is not None:
        seconds = marks.seconds_since(key, form.key, str(given), sent.received_at)
        facts[spam.MARK] = "forged" if seconds is None else "ours"
        if seconds is not None:
            facts[spam.SECONDS] = round(seconds, 1)
    rate = rates.exceeded(protection.per_address, form.key, sent.remote_address)
    if rate is not None:
        facts[spam.RATE] = f"more than {rate} from one address"
    elif (rate := rates.exceeded(protection.per_form, form.key)) is not None:
        facts[spam.RATE] = f"more than {rate} to this form"
    if protection.captcha is not None and protection.captcha.kind == "altcha":
        answer = str(posted.first(captcha.FIELDS["altcha"]) or "")
        riddle = captcha.solved(protection.captcha, marks.proof_key(key, form.key), answer)
        facts[spam.PROOF if riddle else spam.CAPTCHA] = riddle or "no proof of work came with it"
    return facts


def _onward(form: FormSettings, posted: body.Posted) -> str:
    """Where a browser goes now: where the page asks, on a host the form allows, else where the form says."""
    wanted = str(posted.first(web_form.REDIRECT) or posted.first("_next") or "")
    try:
        parts = urlsplit(wanted)
    except ValueError:
        parts = urlsplit("")
    plain = not any(c.isspace() or c == "\\" for c in wanted)
    if plain and parts.scheme in ("http", "https") and parts.netloc in form.allowed_redirects:
        return wanted
    return form.redirect or f"{settings().address}/in/forms/{form.key}/thanks"


def _differs(given: Receipt, posted: body.Posted) -> bool:
    """Whether the event that has this key holds another submission."""
    with db.reading() as session:
        row = session.get_one(InboundEvent, given.event_id, options=[undefer(InboundEvent.body)])
        before = body.read(row.body, row.content_type)
    ours = web_form.OURS
    return before.without(ours).fingerprint() != posted.without(ours).fingerprint()


def language_of(form: FormSettings) -> str:
    """The language to answer in: the form's own, the one asked for, the visitor's, the workspace's."""
    wanted = [form.language, request.args.get("lang", ""), *request.accept_languages.values()]
    return page.language_of([w for w in wanted if w], sources.book().workspace.locale)
