"""The way of a posted form, ahead of Flask: what is in order is journalled and answered here.

Most of what reaches the house comes this way, and a framework around it costs as much as the work itself.
What cannot be taken (an unknown form, a mistake, a refusal) is handed on to Flask, which answers it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy.orm import undefer
from werkzeug.urls import iri_to_uri

from core import db
from core.errors import Invalid, NotFound, Refused
from core.metrics import ACCEPTED, REPEATED
from core.settings import settings
from intake import arrival, problems, rates, sources
from intake.delivery import Delivery
from intake.forms import body, captcha, checks, marks, spam, web_form
from intake.forms.body import Posted
from intake.forms.settings import FormSettings
from intake.journal import Entry, Receipt
from intake.sources import LoadedSource
from intake.writer import Writer
from models.inbound import InboundEvent
from models.source import Channel

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = web_form.WebForm()
#: Where the request's environment says why it could not be taken.
REFUSAL = "portaria.refusal"
_PATH = re.compile(r"/in/forms/([^/]+)")
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_ACCEPTED, _REPEATED = ACCEPTED.labels("form"), REPEATED.labels("form")


class Mistaken(Invalid):
    """Some fields have to be mended; `posted` is what to show again."""

    def __init__(self, posted: Posted, fields: Mapping[str, str]) -> None:
        super().__init__("some fields need another look", fields)
        self.posted = posted


class FormLane:
    """A WSGI application around Flask's. `headers` are those that every answer of the house has."""

    def __init__(self, flask: WSGIApplication, writer: Writer, headers: Mapping[str, str]) -> None:
        self._flask = flask
        self._writer = writer
        self._headers = list(headers.items())

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a post to a form; all else is Flask's."""
        if environ["REQUEST_METHOD"] in _BODILESS:
            return self._flask(environ, start_response)
        found = _PATH.fullmatch(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "POST" else None
        if found is None:
            return self._by_flask(environ, start_response)
        try:
            status, headers, content = self._take(found[1], environ)
        except Exception as error:  # noqa: BLE001  raised again where Flask answers errors
            environ[REFUSAL] = error
            return self._by_flask(environ, start_response)
        start_response(status, [*headers, *self._headers, ("Content-Length", str(len(content)))])
        return [content]

    def _by_flask(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._flask(environ, start_response)
        arrival.let_pass(environ)
        return answer

    def _take(self, key: str, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        source, form = form_of(key)
        sent = arrival.delivery(environ, arrival.largest(environ))
        FORM.verify(sent, form)
        _hold_up_floods(form, sent)
        posted = _in_order(source, form, sent)
        if facts := _observed(form, posted, sent):
            sent = replace(sent, facts=facts)
        given = self._journal(source, posted, sent)
        if problems.page_wanted(sent.headers.get("accept", ""), sent.content_type):
            return "303 SEE OTHER", [("Location", iri_to_uri(_onward(form, posted)))], b""
        told = {"event_id": given.event_id, "status": "accepted" if given.new else "repeated"}
        return (
            "202 ACCEPTED",
            [("Content-Type", "application/json"), *cors(form, sent.headers.get("origin"))],
            json.dumps(told).encode(),
        )

    def _journal(self, source: LoadedSource, posted: Posted, sent: Delivery) -> Receipt:
        own_key, again = FORM.keys(sent, posted)
        given = self._written(Entry(source.id, FORM.name, own_key, sent, again))
        if not given.new and not again and _differs(given, posted):
            reason = f"its Idempotency-Key was used for other content: event {given.event_id}"
            other = f"{own_key[:120]}:{posted.fingerprint()}"
            self._written(Entry(source.id, FORM.name, other, sent, apart=reason))
        return given

    def _written(self, entry: Entry) -> Receipt:
        (receipt,) = self._writer.journal([entry])
        (_ACCEPTED if receipt.new else _REPEATED).inc()
        return receipt


def form_of(key: str) -> tuple[LoadedSource, FormSettings]:
    """The form of this key. Raises NotFound, or Unavailable where its secrets cannot be opened."""
    source = sources.book().sources.get((Channel.FORM, key))
    if source is None:
        raise NotFound("there is no such form")
    return source, source.read(FormSettings)


def cors(form: FormSettings, origin: str | None) -> Sequence[tuple[str, str]]:
    """Lets scripts of the form's allowed sites, and of no others, read the answer (Fetch standard)."""
    if origin is None:
        return ()
    vary = ("Vary", "Origin")
    if origin not in form.allowed_origins:
        return (vary,)
    return (
        vary,
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", "POST"),
        ("Access-Control-Allow-Headers", "Content-Type, Idempotency-Key"),
        ("Access-Control-Max-Age", "600"),
    )


def _in_order(source: LoadedSource, form: FormSettings, sent: Delivery) -> Posted:
    posted = body.read(sent.body, sent.content_type)
    country = form.country or sources.book().workspace.country
    if mistakes := checks.mistakes(posted, form, country):
        raise Mistaken(posted, mistakes)
    if not any(v not in ("", None) for vs in posted.values.values() for v in vs) and not posted.files:
        raise Refused("the form is empty", status=400, reason="empty")
    return posted


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
