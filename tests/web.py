"""The web process's application, as after a start.

Its routes are made once for all tests of a process: making them takes longer than most tests.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from flask_openapi3 import OpenAPI

import console
from boot.app import renew, with_routes
from core.secrets import derived_key


@contextmanager
def application() -> Iterator[OpenAPI]:
    """The whole application. It begins anew: of two at once only the later one works."""
    app = renew(_everything())
    running = [app.extensions["journal"], app.extensions["reception"]]
    yield app
    for part in running:
        part.stop()


def console_alone() -> Flask:
    """An application that has nothing but the console."""
    app = _console()
    app.config.update(SECRET_KEY=derived_key("sessions"), SESSION_COOKIE_NAME="portaria_session")
    console.renew(app)
    return app


@functools.cache
def _everything() -> OpenAPI:
    return with_routes()


@functools.cache
def _console() -> Flask:
    app = Flask("test")
    console.mount(app)
    return app
