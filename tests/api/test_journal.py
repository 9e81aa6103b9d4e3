"""The journal over the API: seen, downloaded safely, replayed by who may."""

from __future__ import annotations

from typing import Any

import pytest

from core import clock, db
from intake import journal
from intake.delivery import Delivery
from tests.api.conftest import Ask
from tests.factories import source
from worker import executor


@pytest.fixture
def failed(ask: Ask, database: db.Database) -> str:
    body = b'<script>alert(1)</script>{"'
    with database.unit_of_work() as session:
        delivery = Delivery(
            body=body,
            content_type="application/json",
            received_at=clock.now(),
            url="https://x.test/in/forms/open?secret=1",
            headers={"cookie": "session=1", "user-agent": "x"},
        )
        entry = journal.Entry(source(session, "open").id, "form", "k", delivery)
        event_id = journal.append(session, [entry])[0].event_id
    executor.process_event(event_id)
    return event_id


def test_a_failure_is_seen_with_its_error_and_without_secrets(ask: Ask, failed: str) -> None:
    listed: Any = ask("GET", "/events?state=failed&source=open").json
    assert [(e["id"], e["error"]) for e in listed["items"]] == [(failed, "the body is no JSON")]
    whole: Any = ask("GET", f"/events/{failed}").json
    assert whole["size"] == 27
    assert "secret" not in str(whole)
    assert "session" not in str(whole)


def test_raw_bytes_are_only_ever_downloaded(ask: Ask, failed: str) -> None:
    answer = ask("GET", f"/events/{failed}/raw")
    assert answer.data == b'<script>alert(1)</script>{"'
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_failed_event_is_replayed_and_a_processed_one_is_left(ask: Ask, failed: str) -> None:
    answer: Any = ask("POST", f"/events/{failed}/replay").json
    assert answer["state"] == "received"
    executor.process_event(failed)
    assert ask("GET", f"/events/{failed}").json["state"] == "failed"  # type: ignore[index]
    made: Any = ask("POST", "/leads", json={"name": "Ana"})
    (event,) = ask("GET", "/events?source=api").json["items"]  # type: ignore[index]
    assert made.status_code == 201
    again: Any = ask("POST", f"/events/{event['id']}/replay")
    assert (again.status_code, again.json["state"]) == (200, "processed")


@pytest.mark.parametrize("event_id", ["x", "1", "00000000-0000-0000-0000-000000000000", "%00"])
@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("GET", "/raw"), ("POST", "/replay")])
def test_an_event_that_is_not_there_is_a_404(ask: Ask, event_id: str, method: str, rest: str) -> None:
    answer = ask(method, f"/events/{event_id}{rest}")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
