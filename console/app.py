"""The console as one blueprint: its pages, and what is done around each of them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from flask import Blueprint, Flask, Response, abort, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException

from console import (
    addresses,
    auth,
    headers,
    problems,
    products,
    ringing,
    words,
    write,
)
from console.throttle import Throttle
from core import db
from core.errors import PortariaError, Unavailable
from crm import audit, rights, workspace
from crm.workspace import WorkspaceSettings
from intake import import_jobs
from models.user import Role, User

#: What may be seen without having signed in; everything else may not.
_OPEN = frozenset({"static", "sign_in", "sign_in_post", "welcome", "welcome_post"})
#: What who may only look may change: whether they are signed in, their own password, what they have read.
_OWN = frozenset({"sign_in_post", "sign_out", "welcome_post", "notifications_read"})
#: What is about everything at once: for those who see everything.
_WHOLE = frozenset({"imports", "quarantine", "webhooks", "webhook-deliveries"})
#: No form of ours is larger.
_MOST_BYTES = 64 * 1024

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
    renew(app)
    app.register_blueprint(pages)
    for status in (404, 405):
        app.register_error_handler(status, partial(problems.unrouted, programs))


def renew(app: Flask) -> None:
    """Forgets who tried to sign in and what was last seen."""
    app.extensions["console.throttle"] = Throttle(most=10, within=auth.THROTTLE)
    app.extensions["console.lookout"] = ringing.Lookout()


addresses.connect(pages)
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
    rights.look(None)
    if page in ("static", "ringing"):  # the second looks for itself, out of memory
        return None
    larger = {
        "import_new": import_jobs.MOST_BYTES,
        **dict.fromkeys(("write_lead_post", "write_contact_post", "write_deal_post"), write.MOST_BYTES),
        "product_picture_set": products.MOST_BYTES,
    }
    request.max_content_length = larger.get(page, _MOST_BYTES)
    with db.reading() as session:
        g.here = workspace.load(session)
        g.user = auth.signed_in(session)
    _csrf.protect()
    if g.user is not None and g.user.role is Role.READ_ONLY and request.method not in ("GET", "HEAD"):
        if page not in _OWN:
            abort(403, "You may look, and change nothing.")
        return None
    if g.user is not None and page not in _OPEN:
        _limit(g.user, g.here)
    if g.user is not None or page in _OPEN:
        return None
    if request.method != "GET":
        abort(403, "Please sign in first.")
    wanted = request.full_path.rstrip("?")
    return redirect(url_for("console.sign_in", next=None if wanted == "/" else wanted), 303)


@pages.after_request
def audited(told: Response) -> Response:
    """Notes who saw or changed what."""
    user = g.get("user")
    if user is not None and told.status_code < 400:
        row_id = next((v for v in (request.view_args or {}).values() if isinstance(v, int)), None)
        audit.note(f"user:{user.id}", request.method, request.path, row_id)
        if audit.due():
            with suppress(Unavailable), db.unit_of_work(durable=False) as session:
                audit.write(session)
    return told


@pages.teardown_request
def forget(error: BaseException | None) -> None:
    """The next request of this thread is somebody else's."""
    rights.look(None)


def _limit(user: User, here: WorkspaceSettings) -> None:
    """Narrows what is read to what the user sees, and looks at what the address names."""
    right = rights.of_role(user.role, here.rights)
    with db.reading() as session:
        seen, changed = (rights.sight(session, user, reach) for reach in (right.see, right.change))
        place = request.path.split("/")[1]
        row_id = next((v for v in (request.view_args or {}).values() if isinstance(v, int)), None)
        writes = request.method not in ("GET", "HEAD")
        if seen is not None and place in _WHOLE:
            abort(403, "This is for those who see everything.")
        for what, status in ((seen, 404), (changed, 403)):
            if what is None or row_id is None or (status == 403 and not writes):
                continue
            with rights.seeing(what):
                if rights.missing(session, place, row_id):
                    abort(
                        status, "There is no such thing." if status == 404 else "It is not yours to change."
                    )
    rights.look(seen)
