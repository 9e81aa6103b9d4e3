"""The whole application on an empty database, and callers with each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.auth import create_token
from api.operations import Troubles
from core import db
from models.user import Role
from tests.factories import configure
from tests.web import application

RULES = "  - {name: all, on: lead.created, do: [assign: {team: inbound}, schedule: {type: call, subject: Call, due: 1 hours}]}"
Ask = Callable[..., TestResponse]


@pytest.fixture
def client(database: db.Database) -> Iterator[FlaskClient]:
    configure(rules=RULES)
    with application() as app:
        app.extensions["ready"] = Troubles
        yield app.test_client()


@pytest.fixture
def tokens(client: FlaskClient, database: db.Database) -> dict[str, str]:
    with database.unit_of_work() as session:
        return {role.value: create_token(session, role.value, role) for role in Role}


@pytest.fixture
def ask(client: FlaskClient, tokens: dict[str, str]) -> Ask:
    """A request to the API; `role` says whose."""

    def asked(
        method: str, path: str, *, role: str = "admin", headers: Any = None, **more: Any
    ) -> TestResponse:
        told = {"Authorization": f"Bearer {tokens[role]}", **(headers or {})}
        return client.open("/api/v1" + path, method=method, headers=told, **more)

    return asked
