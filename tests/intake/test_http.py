"""The door over HTTP: what is let in, what is refused and how, and that nothing else is written."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from core import db
from core.errors import Unavailable
from core.metrics import REFUSED
from core.settings import settings
from intake import form_lane, sources
from models.inbound import EventState, InboundEvent
from tests.factories import WORKSPACE, configure
from tests.servers.twilio import missed_call, signed
from tests.web import application

TOKEN = "t0ken"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
SCRIPT = {"Accept": "application/json"}
GOOD = {"name": "Ana", "email": "ana@client.test", "message": "Olá"}
LINES = f"  - {{key: main, provider: twilio, auth_token: {TOKEN}, numbers: ['+551140000000']}}"


@pytest.fixture
def client(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "https://in.acme.test")
    monkeypatch.setenv("PORTARIA_TRUSTED_PROXIES", "127.0.0.1")
    settings.cache_clear()
    text = WORKSPACE.replace(
        "  - {key: open}",
        "  - {key: open}\n  - {key: away, redirect: https://www.acme.test/thanks, allowed_origins: [https://www.acme.test]}",
    )
    configure(text, lines=LINES)
    with application() as app:
        yield app.test_client()


def journalled(database: db.Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(InboundEvent)) or 0


def test_a_script_gets_a_receipt(client: FlaskClient, database: db.Database) -> None:
    answer = client.post("/in/forms/contact", data=GOOD, headers=SCRIPT)
    assert answer.status_code == 202
    assert answer.json is not None
    with database.reading() as session:
        event = session.get_one(InboundEvent, answer.json["event_id"])
        assert event.body == b"name=Ana&email=ana@client.test&message=Ol%C3%A1"


@pytest.mark.parametrize("kind", ["urlencoded", "multipart", "json"])
def test_each_encoding_is_understood(client: FlaskClient, kind: str) -> None:
    posted: dict[str, Any] = {"json": GOOD} if kind == "json" else {"data": GOOD}
    if kind == "multipart":
        posted["content_type"] = "multipart/form-data"
    assert client.post("/in/forms/contact", headers=SCRIPT, **posted).status_code == 202


def test_a_browser_is_sent_to_the_thank_you_page(client: FlaskClient) -> None:
    answer = client.post("/in/forms/contact", data=GOOD, headers=BROWSER)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://in.acme.test/in/forms/contact/thanks"
    assert b"Thank you" in client.get("/in/forms/contact/thanks").data
    answer = client.post(
        "/in/forms/away",
        data={**GOOD, "_next": "https://evil.test", "redirect": "//evil.test"},
        headers=BROWSER,
    )
    assert answer.headers["Location"] == "https://www.acme.test/thanks"


def test_a_browser_gets_its_form_back_with_what_was_typed(client: FlaskClient, database: db.Database) -> None:
    hostile = '"><script>alert(1)</script>'
    answer = client.post("/in/forms/contact", data={"name": hostile, "email": "nobody"}, headers=BROWSER)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert "Please enter an e-mail address" in page
    assert "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page
    assert journalled(database) == 0


def test_a_script_is_told_each_mistake(client: FlaskClient, database: db.Database) -> None:
    answer = client.post("/in/forms/contact", json={"email": "nobody"})
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert answer.json is not None
    assert [e["field"] for e in answer.json["errors"]] == ["name", "email"]
    assert journalled(database) == 0


def test_the_hosted_form_is_a_page_without_script(client: FlaskClient) -> None:
    page = client.get("/in/forms/contact").get_data(as_text=True)
    assert '<label for="f-1">' in page
    assert page.count("<script") == 1  # it makes things nicer; the browser tests do without


def test_the_same_content_or_key_gets_the_same_receipt(client: FlaskClient, database: db.Database) -> None:
    one = client.post("/in/forms/contact", data=GOOD, headers=SCRIPT).json
    two = client.post("/in/forms/contact", json=GOOD).json
    assert one is not None
    assert two is not None
    assert (one["event_id"], one["status"]) == (two["event_id"], "accepted")
    assert two["status"] == "repeated"
    told = {**SCRIPT, "Idempotency-Key": "k-1"}
    first = client.post("/in/forms/contact", data=GOOD | {"message": "1"}, headers=told).json
    again = client.post("/in/forms/contact", data=GOOD | {"message": "2"}, headers=told).json
    assert first is not None
    assert again is not None
    assert first["event_id"] == again["event_id"] != one["event_id"]
    assert again["status"] == "repeated"
    # A site that sends one key with everything loses nothing: what differs is kept apart, once.
    client.post("/in/forms/contact", data=GOOD | {"message": "2"}, headers=told)
    client.post("/in/forms/contact", data=GOOD | {"message": "1"}, headers=told)
    with database.reading() as session:
        states = session.execute(select(InboundEvent.state, InboundEvent.error)).all()
    assert [s.state for s in states].count(EventState.RECEIVED) == 2
    (apart,) = (s for s in states if s.state is EventState.QUARANTINED)
    assert first["event_id"] in (apart.error or "")


URLENCODED = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("POST", "/in/forms/nobody", b"name=x", URLENCODED, 404),
        ("GET", "/in/forms/nobody", b"", "", 404),
        ("POST", "/in/forms/" + "x" * 5000, b"name=x", URLENCODED, 404),
        ("POST", "/in/forms/..%2f..%2fetc%2fpasswd", b"name=x", URLENCODED, 404),
        ("PUT", "/in/forms/open", b"name=x", URLENCODED, 405),
        ("DELETE", "/in/forms/open", b"", "", 405),
        ("POST", "/in/forms/open", b"", URLENCODED, 400),
        ("POST", "/in/forms/open", b"name=&email=", URLENCODED, 400),
        ("POST", "/in/forms/open", b"name=x", "text/plain", 415),
        ("POST", "/in/forms/open", b"name=x", "", 415),
        ("POST", "/in/forms/open", b"{", "application/json", 400),
        ("POST", "/in/forms/open", b"[" * 200_000, "application/json", 400),
        ("POST", "/in/forms/open", b'{"a":' * 1000 + b"1" + b"}" * 1000, "application/json", 400),
        ("POST", "/in/forms/open", b"name=" + b"x" * (1024 * 1024), URLENCODED, 413),
        ("POST", "/in/forms/open", b"&".join(b"f%d=1" % n for n in range(10_000)), URLENCODED, 400),
        ("POST", "/in/forms/open", b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n1", "multipart/form-data; boundary=b", 400),
        ("POST", "/in/calls/twilio/main", b"CallSid=CA1", URLENCODED, 403),
        ("POST", "/in/calls/twilio/nobody", b"CallSid=CA1", URLENCODED, 404),
        ("POST", "/in/calls/nobody/main", b"CallSid=CA1", URLENCODED, 404),
        ("GET", "/in/calls/twilio/main", b"", "", 403),
        ("GET", "/in/calls/twilio/main/more", b"", "", 404),
        ("POST", "/in/calls/twilio/main", b"{}", "application/json", 415),
        ("POST", "/in/calls/twilio/main", b"x=" + b"y" * (1024 * 1024), URLENCODED, 413),
        ("POST", "/in/nothing", b"", URLENCODED, 404),
    ],
    ids=lambda v: str(v)[:30],
)  # fmt: skip
def test_what_is_refused_is_answered_clearly_and_leaves_no_trace(
    client: FlaskClient,
    database: db.Database,
    method: str,
    path: str,
    body: bytes,
    content_type: str,
    status: int,
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.open(path, method=method, data=body, headers=headers)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json is not None
    assert (answer.json["status"], bool(answer.json["detail"])) == (status, True)
    if content_type == "application/json":
        return  # no browser's own form
    page = client.open(path, method=method, data=body, headers={**headers, **BROWSER})
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert journalled(database) == 0


def test_a_refusal_is_counted_and_logged_without_the_person_s_data(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    before = REFUSED.labels("form", "wrong_content_type")._value.get()
    client.post("/in/forms/open", data=b"secret@client.test", content_type="text/plain")
    assert REFUSED.labels("form", "wrong_content_type")._value.get() == before + 1
    assert "secret@client.test" not in caplog.text


def test_a_multipart_form_may_be_larger_because_of_its_files(client: FlaskClient) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nAna\r\n--b\r\nContent-Disposition: form-data; name="cv"; filename="a.pdf"\r\n\r\n' + b"x" * 2_000_000 + b"\r\n--b--\r\n"  # fmt: skip
    answer = client.post("/in/forms/open", data=body, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 202


def test_only_named_sites_may_post_by_script(client: FlaskClient) -> None:
    def preflight(origin: str) -> TestResponse:
        return client.options(
            "/in/forms/away", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )

    assert (
        preflight("https://www.acme.test").headers["Access-Control-Allow-Origin"] == "https://www.acme.test"
    )
    assert "Access-Control-Allow-Origin" not in preflight("https://evil.test").headers
    right = client.post("/in/forms/away", json=GOOD, headers={"Origin": "https://www.acme.test"})
    assert (right.status_code, right.headers["Access-Control-Allow-Origin"]) == (202, "https://www.acme.test")
    wrong = client.post("/in/forms/away", json=GOOD, headers={"Origin": "https://evil.test"})
    assert wrong.status_code == 403


def test_a_database_that_is_away_is_a_503_with_retry_after(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/in/forms/contact")

    def gone(**_: object) -> None:
        raise Unavailable("gone")

    monkeypatch.setattr(db, "unit_of_work", gone)
    answer = client.post("/in/forms/contact", data=GOOD, headers=SCRIPT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_twilio_s_callback_is_taken_with_its_signature_only(
    client: FlaskClient, database: db.Database
) -> None:
    url = "https://in.acme.test/in/calls/twilio/main"
    params = missed_call("CA1", "+5511912345678")[2]
    headers, body = signed(url, params, TOKEN)
    answer = client.post("/in/calls/twilio/main", data=body, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert client.post("/in/calls/twilio/main", data=body, headers=headers).status_code == 200
    assert journalled(database) == 1
    assert client.post("/in/calls/twilio/main", data=body + b"&To=x", headers=headers).status_code == 403
    elsewhere, _ = signed("https://in.acme.test/in/calls/twilio/other", params, TOKEN)
    assert client.post("/in/calls/twilio/main", data=body, headers=elsewhere).status_code == 403
    # a header that anyone can send does not change the address that is checked
    assert (
        client.post("/in/calls/twilio/main", data=body, headers={**headers, "Host": "evil.test"}).status_code
        == 200
    )


def test_the_sender_s_address_comes_from_trusted_proxies_only(
    client: FlaskClient, database: db.Database
) -> None:
    client.post("/in/forms/open", json=GOOD, headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.7"})
    with database.reading() as session:
        assert session.scalars(select(InboundEvent.envelope)).one()["remote_address"] == "203.0.113.7"


def test_a_change_of_the_workspace_is_in_force_at_once_for_who_looks_anew(client: FlaskClient) -> None:
    assert client.get("/in/forms/new").status_code == 404
    configure(WORKSPACE.replace("{key: open}", "{key: open}\n  - {key: new}"))
    sources.forget()
    assert client.get("/in/forms/new").status_code == 200


def test_many_posts_at_once_are_all_kept(client: FlaskClient, database: db.Database) -> None:
    app = client.application
    statuses: list[int] = []

    def post(n: int) -> None:
        body = json.dumps(GOOD | {"email": f"c{n}@client.test"})
        answer = app.test_client().post("/in/forms/contact", data=body, content_type="application/json")
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=post, args=(n,)) for n in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 60
    assert journalled(database) == 60


def test_each_answer_of_the_door_forbids_what_it_does_not_need(client: FlaskClient) -> None:
    accepted = client.post("/in/forms/away", data=GOOD, headers={**SCRIPT, "Origin": "https://www.acme.test"})
    sent_on = client.post("/in/forms/away", data=GOOD, headers=BROWSER)
    refused = client.post("/in/forms/contact", data={"name": ""}, headers=SCRIPT)
    assert [a.status_code for a in (accepted, sent_on, refused)] == [202, 303, 422]
    for answer in (accepted, sent_on, refused):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Set-Cookie" not in answer.headers
    assert accepted.headers["Access-Control-Allow-Origin"] == "https://www.acme.test"


def test_an_error_of_ours_is_logged_and_answered_without_its_words(
    client: FlaskClient, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(form_lane.checks, "mistakes", broken)
    answer = client.post("/in/forms/contact", data=GOOD, headers=SCRIPT)
    assert answer.status_code == 500
    assert b"secret" not in answer.data
    assert journalled(database) == 0


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/in/forms/open", 413),
        ("/in/forms/nosuch", 404),
        ("/in/calls/twilio/nosuch", 404),
        ("/nowhere", 404),
        ("/api/v1/leads", 401),
    ],
)
def test_a_body_that_is_not_taken_is_read_to_its_end_before_that_is_said(
    client: FlaskClient, database: db.Database, path: str, status: int, declared: bool
) -> None:
    body = BytesIO(b"name=Ana&message=" + b"x" * settings().max_form_bytes)
    length = len(body.getvalue())
    answer = client.post(
        path,
        input_stream=body,
        content_type=URLENCODED,
        headers={"Content-Length": str(length)} if declared else {"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == status
    assert body.tell() == length  # a sender that does not listen meanwhile would see a broken connection
    assert journalled(database) == 0  # above all not as much of it as was within the limit


def test_a_chunked_body_within_the_limit_is_taken_whole(client: FlaskClient, database: db.Database) -> None:
    body = b"name=Ana&message=" + b"x" * 100_000
    answer = client.post(
        "/in/forms/open",
        input_stream=BytesIO(body),
        content_type=URLENCODED,
        headers={"Transfer-Encoding": "chunked", **SCRIPT},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.json is not None
    with database.reading() as session:
        assert session.get_one(InboundEvent, answer.json["event_id"]).body == body
