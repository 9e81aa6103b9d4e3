"""The console alone on a Flask application, with a workspace in a fresh database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from console import auth
from core import clock, db
from tests.console import seed
from tests.web import console_alone

SignIn = Callable[..., TestResponse]


@pytest.fixture(autouse=True)
def stopped_clock() -> Iterator[None]:
    """It is always NOW."""
    with clock.frozen(seed.NOW):
        yield


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Passwords cost next to nothing; what they cost in service is the library's own choice."""
    monkeypatch.setattr(auth, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    auth._nobodys_hash.cache_clear()
    yield
    auth._nobodys_hash.cache_clear()


@pytest.fixture
def people(database: db.Database) -> dict[str, int]:
    """The ids of Ana, Bruno and Clara, in a workspace without leads."""
    with database.unit_of_work() as session:
        return {key: user.id for key, user in seed.workspace(session).items()}


@pytest.fixture
def app(database: db.Database) -> Flask:
    """An application that has nothing but the console."""
    return console_alone()


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A browser that has not signed in."""
    return app.test_client()


@pytest.fixture
def sign_in(people: dict[str, int]) -> SignIn:
    """Signs a browser in as it would itself: by the page's own form."""

    def do(
        client: FlaskClient,
        *,
        email: str = "ana@acme.test",
        password: str = seed.PASSWORD,
        next: str = "",  # noqa: A002  the field's name
    ) -> TestResponse:
        page = client.get("/sign-in")
        form = {"csrf_token": token(page), "email": email, "password": password, "next": next}
        return client.post("/sign-in", data=form)

    return do


@pytest.fixture
def ana(stranger: FlaskClient, sign_in: SignIn) -> FlaskClient:
    """Ana's browser, signed in."""
    assert sign_in(stranger).status_code == 303
    return stranger


def token(page: TestResponse) -> str:
    """The CSRF token of a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]
