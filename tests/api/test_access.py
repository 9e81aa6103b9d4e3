"""Who may ask for what; and what the API says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from api import openapi_document
from api.auth import create_token
from api.operations import Troubles
from core import clock, db
from models.user import ApiToken, Role
from tests.api.conftest import Ask
from tests.api.rights import MATRIX, ROLES

NOBODY = "00000000-0000-0000-0000-000000000000"


def filled(path: str) -> str:
    """A path with something where its parts are named."""
    return (
        path.replace("{id}", NOBODY if "/events/" in path else "1")
        .replace("{key}", "contact")
        .replace("{kind}", "leads")
    )


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_it_may(ask: Ask, role: str) -> None:
    for (method, path), allowed in MATRIX.items():
        sent = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
        answer = ask(method, filled(path), role=role, **sent)
        assert (answer.status_code != 403) == (role in allowed), (method, path, answer.status_code)


def test_every_route_is_in_the_matrix(client: FlaskClient) -> None:
    document = openapi_document(client.application)  # type: ignore[arg-type]
    routes = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert routes == set(MATRIX)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer prt_" + "x" * 500]
)
def test_a_stranger_is_told_so(client: FlaskClient, header: str | None) -> None:
    answer = client.get("/api/v1/leads", headers={"Authorization": header} if header is not None else {})
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_token_is_no_token(client: FlaskClient, database: db.Database) -> None:
    with database.unit_of_work() as session:
        token = create_token(session, "x", Role.ADMIN)
        assert token not in str([t.token_hash for t in session.query(ApiToken)])
    told = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/leads", headers=told).status_code == 200
    with database.unit_of_work() as session:
        session.query(ApiToken).update({"revoked_at": clock.now()})
    assert client.get("/api/v1/leads", headers=told).status_code == 401


def test_what_is_not_there_is_a_problem_too(ask: Ask, client: FlaskClient) -> None:
    assert client.get("/api/v1/nothing").content_type == "application/problem+json"
    assert ask("DELETE", "/leads").status_code == 405


def test_the_document_is_the_committed_one(client: FlaskClient) -> None:
    app: Any = client.application
    assert isinstance(app, OpenAPI)
    committed = Path(__file__).parents[2] / "docs" / "openapi.json"
    assert json.loads(committed.read_text()) == json.loads(json.dumps(openapi_document(app))), (
        "run `make openapi`"
    )
    assert openapi_document(app)["openapi"].startswith("3.1")
    assert client.get("/api/openapi.json").json == json.loads(committed.read_text())


def test_the_document_can_be_browsed_without_another_host(client: FlaskClient) -> None:
    page = client.get("/api/docs")
    assert b"https://" not in page.data
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for asset in (
        "/api/docs/assets/js/swagger-ui-bundle.js",
        "/api/docs/start.js",
        "/api/docs/assets/css/swagger-ui.css",
    ):
        with client.get(asset) as answer:
            assert answer.status_code == 200


def test_operators_are_answered(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/healthz").json == {"status": "alive"}
    assert client.get("/readyz").status_code == 200
    client.application.extensions["ready"] = lambda: Troubles({"schema": "is old"})
    assert (client.get("/readyz").status_code, client.get("/readyz").json) == (
        503,
        {"status": "not ready", "missing": {"schema": "is old"}},
    )
    text = client.get("/metrics").get_data(as_text=True)
    assert 'portaria_events{state="failed"} 0.0' in text
    assert "portaria_refused_total" in text
