"""What other programs tell: let in by their proof, bounded, and rules react with whoever it is about."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from core import db
from models.contact_point import ContactPoint, PointKind
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.rule import Run, StepState, Trace
from models.timeline import TimelineEntry
from rules import runs
from rules.order import WebhookOrder
from tests.factories import WORKSPACE, configure, contact, deal, enquire
from tests.web import application
from worker import executor

SECRET = "a-long-secret"
HOOKS = f"""
  - {{key: shop, name: Shop, secret: {SECRET}, id: $.id, type: $.event, person: {{email: $.customer.email, phone: customer.phone}}}}
  - {{key: plain, secret: {SECRET}, scheme: bearer}}
"""
RULES = """
  - {name: paid, on: webhook.received, when: 'event.source == "shop" && event.type == "paid" && event.body.total > 100.0', do: [add_tag: "paid {{ event.body.total }}", send_webhook: {url: "https://x.test/", body: {t: "{{ event.body.note }}"}}]}
"""


@pytest.fixture
def client(database: db.Database) -> Iterator[FlaskClient]:
    configure(WORKSPACE, hooks=HOOKS, rules=RULES)
    with application() as app:
        yield app.test_client()


def post(client: FlaskClient, body: Any, *, key: str = "shop", **headers: str) -> TestResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    given = {"X-Signature": signature, "Content-Type": "application/json", **headers}
    return client.post(f"/in/webhooks/{key}", data=raw, headers=given)


def told(client: FlaskClient, database: db.Database, body: Any) -> InboundEvent:
    answer = post(client, body)
    assert answer.status_code == 202, answer.text
    event_id = answer.get_json()["event_id"]
    executor.process_event(event_id)
    with database.reading() as session:
        return session.get_one(InboundEvent, event_id)


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        ({"a": 1}, {"X-Signature": "0" * 64}, 403),
        ({"a": 1}, {"X-Signature": ""}, 403),
        ({"a": 1}, {"Content-Type": "text/plain"}, 415),
        (b"", {}, 400),
        (b"x" * 2_000_000, {}, 413),
        ({"a": 1}, {"key": "nothing"}, 404),
        ({"a": 1}, {"key": "plain"}, 403),
        ({"a": 1}, {"key": "plain", "Authorization": f"Bearer {SECRET}"}, 202),
    ],
)
def test_only_who_proves_it_is_let_in(
    client: FlaskClient, body: Any, more: dict[str, str], status: int
) -> None:
    assert post(client, body, **more).status_code == status


def test_what_is_about_nobody_runs_on_nothing_and_says_so(client: FlaskClient, database: db.Database) -> None:
    body = {"id": "e1", "event": "paid", "total": 150.5, "note": "{{ ''.__class__ }}"}
    event = told(client, database, body)
    assert (event.state, event.lead_id) == (EventState.PROCESSED, None)
    assert post(client, {**body, "total": 1}).get_json()["status"] == "repeated"  # the same id
    with database.unit_of_work() as session:
        run = session.scalars(select(Run)).one()
        assert (run.lead_id, run.deal_id, run.contact_id) == (None, None, None)
        assert [s.state for s in run.steps] == [StepState.FAILED, StepState.READY]
        assert "no lead, deal or contact" in (run.steps[0].result or "")
        job = runs.claim(session, run.steps[1].id)
        assert job is not None
        assert isinstance(job.order, WebhookOrder)
        assert job.order.payload == {"t": "{{ ''.__class__ }}"}  # a value stays text
        trace = session.scalars(select(Trace)).one()
        assert (trace.event_id, trace.rules[0]["matched"]) == (event.id, True)


def test_whoever_it_is_about_has_it(client: FlaskClient, database: db.Database) -> None:
    with database.unit_of_work() as session:
        enquire(session)
        person = contact(session, email="rui@x.test")
        session.flush()
        session.add(ContactPoint(kind=PointKind.PHONE, value="+5511987654321", person_id=person.person_id))
        deal_id = deal(session, contact_id=person.id).id
    told(
        client, database, {"id": 1, "event": "paid", "total": 200, "customer": {"email": "MARIA@client.test"}}
    )
    told(client, database, {"id": 2, "event": "paid", "total": 300, "customer": {"phone": "(11) 98765-4321"}})
    with database.reading() as session:
        assert session.scalars(select(Lead.tags)).one() == ["paid 200"]
        assert {r.deal_id for r in session.scalars(select(Run))} == {None, deal_id}
        entries = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "webhook")).all()
        assert {e.summary for e in entries} == {"Told by Shop: paid"}


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b"[1, 2]", EventState.FAILED),
        (b"{not json", EventState.FAILED),
        (b'{"a": NaN}', EventState.FAILED),
        (nested(40_000), EventState.FAILED),
        (nested(50), EventState.PROCESSED),
        (b'{"a": "\\u0000\\ud800", "n": 1e400, "i": 99999999999999999999999}', EventState.PROCESSED),
        (json.dumps({"x": [[1] * 500] * 500}).encode(), EventState.PROCESSED),
        (json.dumps({"event": {"not": "text"}, "customer": "nobody", "id": True}).encode(), EventState.PROCESSED),
        (json.dumps({"event": "x" * 50_000, "customer": {"email": "@@", "phone": "x" * 5000}}).encode(), EventState.PROCESSED),
    ],
)  # fmt: skip
def test_a_hostile_document_is_kept_bounded_or_as_failed(
    client: FlaskClient, database: db.Database, body: bytes, state: EventState
) -> None:
    configure(hooks=HOOKS, rules="  - {name: any, on: webhook.received, do: [{wait: 1 hours}]}")
    event = told(client, database, body)
    assert event.state is state, event.error
    with database.reading() as session:
        for run in session.scalars(select(Run)):
            assert len(json.dumps(run.cause)) < 100_000


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ("{key: a, secret: short}", "at least 8"),
        ("{key: a, secret: whsec_abcde, scheme: standard-webhooks}", "whsec_"),
        ("{key: a, secret: long-enough, type: '$['}", "JSONPath"),
        ("{key: a, secret: long-enough, team: inbound}", "'team' is not known here"),
    ],
)
def test_what_cannot_be_a_hook_is_refused(database: db.Database, hook: str, words: str) -> None:
    with pytest.raises(Exception, match=words.replace("$", r"\$").replace("[", r"\[")):
        configure(hooks=f"  - {hook}")
