"""The door for forms: the hosted page, its widget, receipts, and what is said of a post that is not taken."""

from __future__ import annotations

from flask import Response, jsonify, request

from core import db
from core.errors import Invalid, NotFound
from core.metrics import REFUSED
from intake import form_page as page
from intake import problems, sources
from intake.door import door, with_cors
from intake.form_lane import REFUSAL, Mistaken, form_of
from intake.forms import checks
from intake.forms.settings import FormSettings
from models.inbound import EventState, InboundEvent


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
    """A submission that the lane (intake/form_lane.py) could not take: here it is said why."""
    error = request.environ.get(REFUSAL) or NotFound("there is no such form")
    if not isinstance(error, Mistaken):
        raise error
    source, form = form_of(key)
    language = language_of(form)
    country = form.country or sources.book().workspace.country
    found = checks.mistakes(error.posted, form, country, language)
    if not problems.wants_page(request):
        raise Invalid(str(error), found)
    REFUSED.labels("form", "invalid").inc()
    return page.form_page(source, form, language, posted=error.posted, mistakes=found)


def language_of(form: FormSettings) -> str:
    """The language to answer in: the form's own, the one asked for, the visitor's, the workspace's."""
    wanted = [form.language, request.args.get("lang", ""), *request.accept_languages.values()]
    return page.language_of([w for w in wanted if w], sources.book().workspace.locale)
