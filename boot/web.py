"""The web process: one Flask application behind Granian."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from datetime import timedelta

from flask_openapi3.openapi import OpenAPI
from granian.constants import HTTPModes, Interfaces
from granian.server import Server

import api
import console
from api import refusals
from api.operations import Troubles
from boot import process, schema
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

#: Seconds a request that is under way is given when the process is told to stop.
_GRACE = 5
_LONGEST_LAG = timedelta(seconds=60)
#: Seconds in which the one who had the port before may still leave it.
_TAKEOVER = 5


def run() -> None:
    """Serves until told to stop."""
    process.loaded()
    here = settings()
    if process.supervised():
        _leave_ctrl_c()
    process.claim_port(here, patience=_TAKEOVER)
    server = Server(
        "boot.web:serve",
        address=here.host,
        port=here.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=here.web_workers,
        blocking_threads=here.web_threads,
        backpressure=here.web_threads * 4,
        http=HTTPModes.http1,
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=_GRACE,
        log_enabled=False,
    )
    server.serve()


def serve() -> OpenAPI:
    """The application of one web worker, with its own journal writer and doorbell."""
    _leave_ctrl_c()
    process.begin("web", pool=20)
    process.leave_with_parent(lambda: os._exit(1))
    app = create_app()
    # The writer goes last and takes what is in work with it.
    atexit.register(app.extensions["journal"].stop)
    threading.Thread(target=app.extensions["reception"].warm, name="warm", daemon=True).start()
    return app


def _leave_ctrl_c() -> None:
    """Ctrl-C reaches the whole group, and whoever is above this process ends it then.

    A Granian worker that is told twice does not end at all, until it is killed. Its own handlers come later
    than ours would, so the signal is kept from it altogether.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


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
