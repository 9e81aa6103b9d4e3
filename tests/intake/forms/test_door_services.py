"""The door for form services: who may post, what is known again, and what is fetched first."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core import clock, db, http
from core.errors import Permanent, Retry
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from tests.factories import configure

SECRET = "s3cret-of-the-app"
TYPEFORM = {
    "event_type": "form_response",
    "form_response": {
        "token": "t1",
        "answers": [{"type": "email", "email": "ana@client.test", "field": {"id": "1", "type": "email"}}],
    },
}
LEADS = {
    "object": "page",
    "entry": [
        {
            "changes": [
                {"field": "leadgen", "value": {"leadgen_id": "11", "created_time": 1795458595}},
                {"field": "leadgen", "value": {"leadgen_id": "22"}},
                {"field": "feed", "value": {"leadgen_id": "33"}},
            ]
        },
        {"changes": [{"field": "leadgen", "value": {"leadgen_id": "11"}}]},
    ],
}
Process = Callable[[], list[tuple[EventState, str | None]]]
Leads = Callable[[], list[Lead]]


@pytest.fixture(autouse=True)
def configured(client: FlaskClient) -> None:
    configure(
        f"""
forms:
  - {{key: open}}
  - key: ads
    services:
      typeform: {{secret: {SECRET}}}
      google-ads: {{key: gk-1}}
      linkedin: {{client_secret: {SECRET}, access_token: li-token}}
      meta-lead-ads: {{app_secret: {SECRET}, verify_token: vt-1, page_token: pt-1}}
"""
    )


def meta(client: FlaskClient, document: Any, secret: str = SECRET) -> Any:
    body = json.dumps(document).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return client.post(
        "/in/forms/ads/meta-lead-ads",
        data=body,
        content_type="application/json",
        headers={"X-Hub-Signature-256": f"sha256={signature}"},
    )


def journalled(database: db.Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(InboundEvent)) or 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("open/typeform", TYPEFORM, 200),
        ("ads/typeform", TYPEFORM, 403),
        ("open/google-ads", {"lead_id": "1"}, 404),
        ("ads/google-ads", {"lead_id": "1", "google_key": "gk-1"}, 200),
        ("ads/google-ads", {"lead_id": "1", "google_key": "gk-2"}, 403),
        ("ads/google-ads", {"lead_id": "1"}, 403),
        ("ads/google-ads", [1], 400),
        ("ads/nothing", TYPEFORM, 404),
        ("nothing/typeform", TYPEFORM, 404),
        ("ads/meta-lead-ads", LEADS, 403),
        ("ads/linkedin", {}, 403),
    ],
)
def test_who_may_post(client: FlaskClient, database: db.Database, path: str, body: Any, status: int) -> None:
    assert client.post(f"/in/forms/{path}", json=body).status_code == status
    assert journalled(database) == (status == 200)


def test_another_content_type_or_nothing_is_refused(client: FlaskClient, database: db.Database) -> None:
    assert client.post("/in/forms/open/typeform", data="x", content_type="text/plain").status_code == 415
    assert client.post("/in/forms/open/typeform", data="", content_type="application/json").status_code == 400
    assert journalled(database) == 0


def test_a_delivery_that_comes_again_is_known(client: FlaskClient, database: db.Database) -> None:
    first = client.post("/in/forms/open/typeform", json=TYPEFORM).json
    again = client.post("/in/forms/open/typeform", json=TYPEFORM | {"event_id": "other"}).json
    assert first is not None
    assert again is not None
    assert (first["status"], again["status"]) == ("accepted", "repeated")
    assert first["event_id"] == again["event_id"]


def test_without_an_id_the_same_content_is_a_new_enquiry_another_day(
    client: FlaskClient, database: db.Database
) -> None:
    def post() -> None:
        client.post("/in/forms/open/elementor", data={"Email": "ana@client.test"})

    post()
    post()
    assert journalled(database) == 1
    with clock.frozen(clock.now() + timedelta(days=1)):
        post()
    assert journalled(database) == 2


def test_handshakes(client: FlaskClient) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "<b>77", "hub.verify_token": "vt-1"}
    answer = client.get("/in/forms/ads/meta-lead-ads", query_string=asked)
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "<b>77", "text/plain")
    wrong = client.get("/in/forms/ads/meta-lead-ads", query_string=asked | {"hub.verify_token": "x"})
    assert wrong.status_code == 403
    told = client.get("/in/forms/ads/linkedin", query_string={"challengeCode": "abc-1"}).json
    expected = hmac.new(SECRET.encode(), b"abc-1", hashlib.sha256).hexdigest()
    assert told == {"challengeCode": "abc-1", "challengeResponse": expected}
    assert client.get("/in/forms/ads/typeform").status_code == 405


def test_each_lead_of_a_batch_is_fetched_and_becomes_one(
    client: FlaskClient, process: Process, leads: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask(url: str, headers: dict[str, str], *, form: None) -> bytes:
        asked.append(url)
        assert headers == {"Authorization": "Bearer pt-1"}
        number = url.partition("?")[0].rpartition("/")[2]
        fields = [
            {"name": "full_name", "values": [f"Ana {number}"]},
            {"name": "email", "values": [f"{number}@client.test"]},
            {"name": "how_many_employees?", "values": ["12"]},
        ]
        return json.dumps({"field_data": fields, "campaign_name": "Autumn"}).encode()

    monkeypatch.setattr(http, "ask", ask)
    assert meta(client, LEADS).status_code == 200
    assert meta(client, LEADS).status_code == 200
    assert process() == [(EventState.PROCESSED, None)] * 2
    assert len(asked) == 2
    assert [(lead.name, lead.email, lead.fields) for lead in leads()] == [
        ("Ana 11", "11@client.test", {"how_many_employees": "12"}),
        ("Ana 22", "22@client.test", {"how_many_employees": "12"}),
    ]


def test_a_delivery_of_too_many_leads_is_refused_whole(client: FlaskClient, database: db.Database) -> None:
    many = [{"field": "leadgen", "value": {"leadgen_id": str(number)}} for number in range(2001)]
    answer = meta(client, {"object": "page", "entry": [{"changes": many}]})
    assert (answer.status_code, answer.json["detail"]) == (413, "more than 2000 submissions at once")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(InboundEvent)) == 0


def test_a_service_that_is_away_is_asked_again_and_what_it_refuses_can_be_replayed(
    client: FlaskClient, database: db.Database, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Exception] = [Retry("answered 500"), Retry("no answer"), Permanent("answered 400")]

    def ask(*_: object, **__: object) -> bytes:
        raise said.pop(0)

    monkeypatch.setattr(http, "ask", ask)
    meta(client, {"entry": [{"changes": [{"field": "leadgen", "value": {"leadgen_id": "11"}}]}]})
    now = clock.now()
    assert process() == [(EventState.RECEIVED, "answered 500")]
    assert len(said) == 2
    assert process() == [(EventState.RECEIVED, "answered 500")]  # not before its time
    assert len(said) == 2
    with clock.frozen(now + timedelta(minutes=1)):
        assert process() == [(EventState.RECEIVED, "no answer")]
    with clock.frozen(now + timedelta(minutes=2)):
        assert process() == [(EventState.FAILED, "answered 400")]
    with database.reading() as session:
        assert session.scalars(select(InboundEvent)).one().attempts <= 1
