"""The secret key was lost or changed: what needs no secret works on, and applying the file recovers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from core.settings import settings
from intake import sources
from models.inbound import EventState, InboundEvent
from tests.factories import WORKSPACE, configure
from tests.servers.twilio import missed_call, signed
from tests.web import application
from worker import executor

LINES = """
lines:
  - {key: main, provider: twilio, auth_token: "${LINE_TOKEN}"}
  - {key: other, provider: twilio, auth_token: "written in the file"}
"""


@pytest.fixture
def client(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("PORTARIA_SECRET_KEY", "the first key of this service")
    monkeypatch.setenv("LINE_TOKEN", "the token of the line")
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "http://localhost")
    settings.cache_clear()
    configure(WORKSPACE + LINES)
    monkeypatch.delenv("LINE_TOKEN")
    monkeypatch.setenv("PORTARIA_SECRET_KEY", "another key, by mistake")
    settings.cache_clear()
    sources.forget()
    with application() as app:
        yield app.test_client()


def call(client: FlaskClient, line: str, token: str) -> int:
    headers, body = signed(
        f"http://localhost/in/calls/twilio/{line}", missed_call("CA1", "+5511987654321")[0], token
    )
    return client.post(f"/in/calls/twilio/{line}", data=body, headers=headers).status_code


def test_forms_go_on_and_lines_say_come_again(client: FlaskClient) -> None:
    posted = client.post("/in/forms/open", json={"email": "m@client.test"})
    assert posted.status_code == 202
    executor.process_event(posted.get_json()["event_id"])
    with db.reading() as session:
        assert session.scalars(select(InboundEvent.state)).one() is EventState.PROCESSED
    assert call(client, "main", "the token of the line") == 503
    refused = client.post(
        "/in/calls/twilio/other", data=b"", content_type="application/x-www-form-urlencoded"
    )
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert "key" not in refused.get_data(as_text=True).lower()
    problems = {s.key: s.problem for s in sources.book().sources.values()}
    assert "${LINE_TOKEN} is not set" in (problems["main"] or "")
    assert "PORTARIA_SECRET_KEY has changed" in (problems["other"] or "")


def test_applying_the_file_again_recovers(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINE_TOKEN", "the token of the line")
    changes = configure(WORKSPACE + LINES)
    assert any("line other" in str(change) for change in changes)
    monkeypatch.delenv("LINE_TOKEN")
    sources.forget()
    assert call(client, "main", "the token of the line") == 200
    assert call(client, "other", "written in the file") == 200
