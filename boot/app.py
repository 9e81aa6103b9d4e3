"""The Flask application, as one worker of the web process serves it."""

from __future__ import annotations

import atexit
import os
import threading
from datetime import timedelta

from flask_openapi3.openapi import OpenAPI

import api
import console
from api import refusals
from api.operations import Troubles
from boot import process, schema
from boot.web import leave_ctrl_c
from core import db, queue
from core.errors import Unavailable
from core.secrets import derived_key
from core.settings import settings
from intake import claims
from intake.door import HEADERS
from intake.form_lane import FormLane
from intake.forms import body
from intake.http import door
from intake.reception import Desk
from intake.writer import Writer

_LONGEST_LAG = timedelta(seconds=60)


def serve() -> OpenAPI:
    """The application of one web worker, with its own journal writer and doorbell."""
    leave_ctrl_c()
    process.begin("web", pool=20)
    process.leave_with_parent(lambda: os._exit(1))
    app = create_app()
    # The writer goes last and takes what is in work with it.
    atexit.register(app.extensions["journal"].stop)
    threading.Thread(target=app.extensions["reception"].warm, name="warm", daemon=True).start()
    return app


def create_app() -> OpenAPI:
    """The door, the API and the console as one application. The database comes first."""
    return renew(with_routes())


def with_routes() -> OpenAPI:
    """The application's routes, which nothing that is configured changes."""
    app = OpenAPI("portaria", doc_ui=False)
    app.register_blueprint(door)
    api.mount(app)
    console.mount(app, programs=refusals.of_unrouted)
    app.after_request(console.basic_headers)
    return app


def renew(app: OpenAPI) -> OpenAPI:
    """Gives the application its settings, and what it remembers while it runs: nothing yet."""
    app.config.update(
        SECRET_KEY=derived_key("sessions"),
        SESSION_COOKIE_NAME="portaria_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings().address.startswith("https://"),
        MAX_CONTENT_LENGTH=settings().max_form_bytes,
        MAX_FORM_PARTS=body.MOST_FIELDS,
    )
    app.extensions["ready"] = _troubles
    app.extensions["journal"] = Writer()
    app.extensions["reception"] = Desk()
    console.renew(app)
    headers = {**console.BASIC_HEADERS, **HEADERS}
    flask = OpenAPI.wsgi_app.__get__(app)
    app.wsgi_app = FormLane(flask, app.extensions["journal"], headers)  # type: ignore[method-assign]
    return app


def _troubles() -> Troubles:
    """What keeps this process from doing its work, and what makes it slower than it should be."""
    found = Troubles()
    try:
        current = schema.current(db.database())
        if current != schema.head():
            found.missing["schema"] = f"at {current}, needs {schema.head()}"
            return found
        with db.reading() as session:
            waited = claims.longest_wait(session)
        if waited > _LONGEST_LAG:
            found.slow["lag"] = f"an event has waited for {waited.total_seconds():.0f} s"
    except Unavailable as error:
        found.missing["database"] = str(error)
    url = process.broker_url(settings())
    if not url or not queue.answers(url):
        found.slow["broker"] = "does not answer; what arrives is kept, and found by the sweep"
    return found
