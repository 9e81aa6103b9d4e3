"""The console as one blueprint: its pages, and what is done around each of them."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Flask, abort, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException

from console import (
    attachments,
    auth,
    calling,
    completion,
    crm,
    forms,
    headers,
    imports,
    leads,
    mails,
    problems,
    quarantine,
    ringing,
    sign_in,
    ways_in,
    words,
    write,
)
from console.throttle import Throttle
from core import db
from core.errors import PortariaError
from crm import workspace
from intake import import_jobs
from models.user import Role

#: What may be seen without having signed in; everything else may not.
_OPEN = frozenset({"static", "sign_in", "sign_in_post", "welcome", "welcome_post"})
#: What who may only look may change: whether they are signed in, and their own password.
_OWN = frozenset({"sign_in_post", "sign_out", "welcome_post"})
#: No form of ours is larger.
_MOST_BYTES = 64 * 1024
_FILE = f"/attachments/<int(max={leads.LARGEST_ID}):attachment_id>"
_RECORDING = f"/recordings/<int(max={leads.LARGEST_ID}):recording_id>"
_CALL = f"/calls/<int(max={leads.LARGEST_ID}):call_id>"
_IMPORT = f"/imports/<int(max={leads.LARGEST_ID}):import_id>"
_TAKE = f"{_CALL}/take"
_LEAD = f"/leads/<int(max={leads.LARGEST_ID}):lead_id>"

pages = Blueprint(
    "console",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static/console",
)
_csrf = CSRFProtect()


def mount(app: Flask, *, programs: problems.Unrouted = problems.for_programs) -> None:
    """Adds the console to an application whose SECRET_KEY and session cookie are configured.

    Only the console's own views are checked for CSRF. Where no route fits, people get a page of the
    console's; `programs` answers under /api and /in.
    """
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    _csrf.init_app(app)
    app.extensions["console.throttle"] = Throttle(most=10, within=auth.THROTTLE)
    app.extensions["console.lookout"] = ringing.Lookout()
    app.register_blueprint(pages)
    for status in (404, 405):
        app.register_error_handler(status, partial(problems.unrouted, programs))


pages.add_url_rule("/", "home", lambda: redirect(url_for("console.leads"), 303))
pages.add_url_rule("/leads", "leads", leads.all_leads)
pages.add_url_rule(_LEAD, "lead", leads.one_lead)
pages.add_url_rule(f"{_LEAD}/call", "call_lead", calling.call, methods=["POST"])
pages.add_url_rule(f"{_CALL}/outcome", "call_outcome", calling.outcome, methods=["POST"])
pages.add_url_rule(f"{_LEAD}/write", "write", write.form)
pages.add_url_rule(f"{_LEAD}/write", "write_post", write.post, methods=["POST"])
pages.add_url_rule(_FILE, "attachment", attachments.download_one)
pages.add_url_rule(_RECORDING, "recording", attachments.hear)
pages.add_url_rule(f"{_LEAD}/complete", "complete", completion.complete)
pages.add_url_rule(f"{_LEAD}/complete", "complete_post", completion.complete_post, methods=["POST"])
pages.add_url_rule("/contacts", "contacts", crm.all_contacts)
pages.add_url_rule("/companies", "companies", crm.all_companies)
pages.add_url_rule("/deals", "deals", crm.board)
for _plural, _kind in (("contacts", "contact"), ("companies", "company"), ("deals", "deal")):
    _one = f"/{_plural}/<int(max={leads.LARGEST_ID}):row_id>"
    pages.add_url_rule(_one, _kind, partial(crm.one, _kind))
pages.add_url_rule("/mails/<uuid:event_id>", "mail", mails.one)
pages.add_url_rule("/mails/<uuid:event_id>/body", "mail_body", mails.body)
pages.add_url_rule("/mails/<uuid:event_id>/parts/<int(max=1000):number>", "mail_part", mails.part)
pages.add_url_rule("/mails/<uuid:event_id>/source", "mail_source", mails.source)
pages.add_url_rule("/ringing", "ringing", ringing.ringing_now)
pages.add_url_rule(_TAKE, "take", ringing.take, methods=["POST"])
pages.add_url_rule("/forms", "forms", forms.all_forms)
pages.add_url_rule("/new-form", "form_new", forms.edit)
pages.add_url_rule("/new-form", "form_new_post", forms.declare, methods=["POST"])
pages.add_url_rule("/forms/<key>", "form_edit", forms.edit)
pages.add_url_rule("/forms/<key>", "form_edit_post", forms.declare, methods=["POST"])
pages.add_url_rule("/forms/<key>/withdraw", "form_withdraw", forms.withdraw, methods=["POST"])
pages.add_url_rule("/imports", "imports", imports.all_imports)
pages.add_url_rule("/imports", "import_new", imports.take_in, methods=["POST"])
pages.add_url_rule(_IMPORT, "import_one", imports.one_import)
pages.add_url_rule(f"{_IMPORT}/<any(start, stop, undo):what>", "import_do", imports.do, methods=["POST"])
pages.add_url_rule(f"{_IMPORT}/errors", "import_errors", imports.errors)
pages.add_url_rule("/quarantine", "quarantine", quarantine.held)
pages.add_url_rule("/quarantine/<uuid:event_id>", "release", quarantine.release, methods=["POST"])
pages.add_url_rule("/ways-in", "ways_in", ways_in.ways_in)
pages.add_url_rule("/mailboxes/<key>/reconcile", "mailbox_reconcile", ways_in.reconcile, methods=["POST"])
pages.add_url_rule("/mailboxes/<key>/retry", "mailbox_retry", ways_in.retry, methods=["POST"])
pages.add_url_rule("/sign-in", "sign_in", sign_in.form)
pages.add_url_rule("/sign-in", "sign_in_post", sign_in.post, methods=["POST"])
pages.add_url_rule("/sign-out", "sign_out", sign_in.out, methods=["POST"])
pages.add_url_rule("/welcome/<token>", "welcome", sign_in.welcome)
pages.add_url_rule("/welcome/<token>", "welcome_post", sign_in.welcome_post, methods=["POST"])

pages.register_error_handler(PortariaError, problems.of_error)
pages.register_error_handler(HTTPException, problems.refused)
pages.register_error_handler(Exception, problems.broken)
pages.after_request(headers.page_headers)
for name, function in words.FILTERS.items():
    pages.add_app_template_filter(function, name)


@pages.before_request
def admit() -> ResponseReturnValue | None:
    """Lets in who has signed in, and changes only what a page of ours asked to change."""
    page = (request.endpoint or "").removeprefix("console.")
    if page in ("static", "ringing"):  # the second looks for itself, out of memory
        return None
    larger = {"import_new": import_jobs.MOST_BYTES, "write_post": write.MOST_BYTES}
    request.max_content_length = larger.get(page, _MOST_BYTES)
    with db.reading() as session:
        g.here = workspace.load(session)
        g.user = auth.signed_in(session)
    _csrf.protect()
    if g.user is not None and g.user.role is Role.READ_ONLY and request.method not in ("GET", "HEAD"):
        if page not in _OWN:
            abort(403, "You may look, and change nothing.")
        return None
    if g.user is not None or page in _OPEN:
        return None
    if request.method != "GET":
        abort(403, "Please sign in first.")
    wanted = request.full_path.rstrip("?")
    return redirect(url_for("console.sign_in", next=None if wanted == "/" else wanted), 303)
