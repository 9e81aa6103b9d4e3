"""Spam is kept away without losing people: what looks like it waits in quarantine, with its reasons."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import altcha.v1
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db, http, storage
from core.errors import Permanent, Retry
from intake import journal
from intake.forms.spam import HONEYPOT
from models.attachment import Attachment
from models.form_print import FormPrint
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from worker import clockwork

SCRIPT = {"Accept": "application/json"}
GOOD = {"name": "Ana", "email": "ana@client.test", "message": "Olá"}
Process = Callable[[], list[tuple[EventState, str | None]]]
Leads = Callable[[], list[Lead]]
QUARANTINED = EventState.QUARANTINED


def post(client: FlaskClient, form: str, **fields: Any) -> int:
    return client.post(f"/in/forms/{form}", json=GOOD | fields, headers=SCRIPT).status_code


@pytest.mark.parametrize(
    ("form", "fields", "words"),
    [
        ("open", {HONEYPOT: "x"}, f"the hidden field '{HONEYPOT}' was filled in"),
        ("open", {"_gotcha": "x"}, "the hidden field '_gotcha' was filled in"),
        ("open", {"website": "http://spam.test"}, "the hidden field 'website' was filled in"),
        ("open", {"message": "http://a.test http://b.test www.c.test [url=d]"}, "4 links in it"),
        ("open", {"name": "Win at www.spam.test"}, "a link for a name"),
        ("open", {"_mark": "1.0.forged"}, "the mark of our page is forged or too old"),
        ("puzzle", {}, "no proof of work came with it"),
        ("puzzle", {"altcha": "e30="}, "no proof of work came with it"),
        ("gate", {}, "no answer of turnstile came with it"),
    ],
)
def test_what_looks_like_spam_waits_with_its_reason_and_one_click_makes_it_a_lead(
    client: FlaskClient,
    database: db.Database,
    process: Process,
    leads: Leads,
    form: str,
    fields: dict[str, str],
    words: str,
) -> None:
    assert post(client, form, **fields) == 202
    assert process() == [(QUARANTINED, words)]
    assert leads() == []
    with database.unit_of_work() as session:
        journal.replay(session, session.scalars(select(InboundEvent)).one())
    assert process() == [(EventState.PROCESSED, None)]
    assert [lead.email for lead in leads()] == ["ana@client.test"]


@pytest.mark.parametrize(
    "fields",
    [
        {"website": ""},
        {"website": "https://client.test"},  # of the address's own domain: a visible field of an honest form
        {"message": "See https://a.test and https://b.test"},
        {HONEYPOT: ""},
    ],
)
def test_honest_people_are_not_held_up(
    client: FlaskClient, process: Process, leads: Leads, fields: dict[str, str]
) -> None:
    post(client, "open", **fields)
    assert process() == [(EventState.PROCESSED, None)]


def test_who_fills_it_in_faster_than_a_person_is_no_person(client: FlaskClient, process: Process) -> None:
    start = clock.now()
    marks = []
    for _ in range(2):
        with clock.frozen(start):
            answer = client.get("/in/forms/guarded/start").json
            assert answer is not None
            marks.append(answer["_mark"])
    with clock.frozen(start + timedelta(seconds=1)):
        post(client, "guarded", _mark=marks[0])
    with clock.frozen(start + timedelta(seconds=30)):
        post(client, "guarded", _mark=marks[1], email="b@client.test")
        ended = process()
    assert ended == [(QUARANTINED, "filled in within 1.0 seconds"), (EventState.PROCESSED, None)]


def test_a_mark_of_another_form_or_of_last_week_counts_as_forged(
    client: FlaskClient, process: Process
) -> None:
    answer = client.get("/in/forms/open/start").json
    assert answer is not None
    post(client, "guarded", _mark=answer["_mark"])
    with clock.frozen(clock.now() + timedelta(days=8)):
        post(client, "open", _mark=answer["_mark"])
        assert {state for state, _ in process()} == {QUARANTINED}


def test_beyond_the_rate_posts_are_kept_apart_and_a_flood_is_refused(
    client: FlaskClient, process: Process
) -> None:
    statuses = [post(client, "guarded", email=f"{n}@client.test", message=str(n)) for n in range(32)]
    assert statuses == [202] * 30 + [429] * 2
    ended = process()
    assert [state for state, _ in ended] == [EventState.PROCESSED] * 3 + [QUARANTINED] * 27
    assert ended[-1][1] == "more than 3 per 1 hour from one address"
    again = client.post("/in/forms/guarded", json=GOOD, headers=SCRIPT)
    assert 3500 <= int(again.headers["Retry-After"]) <= 3600


def test_a_text_that_many_send_is_suspect(client: FlaskClient, process: Process) -> None:
    text = "We can bring your site to the first page of every search engine."
    for n in range(3):
        post(client, "guarded", email=f"{n}@client.test", message=text.upper() if n == 1 else text)
    assert process()[-1] == (QUARANTINED, "2 others have sent the same text within a day")


def solution(client: FlaskClient) -> str:
    told = client.get("/in/forms/puzzle/start").json
    assert told is not None
    riddle = told["altcha"]
    found = altcha.v1.solve_challenge(
        riddle["challenge"], riddle["salt"], riddle["algorithm"], riddle["maxnumber"], 0
    )
    assert found is not None
    answer = {k: riddle[k] for k in ("algorithm", "challenge", "salt", "signature")}
    return base64.b64encode(json.dumps(answer | {"number": found.number}).encode()).decode()


def test_a_proof_of_work_lets_one_post_in_and_not_two(client: FlaskClient, process: Process) -> None:
    proof = solution(client)
    post(client, "puzzle", altcha=proof)
    post(client, "puzzle", altcha=proof, email="other@client.test")
    assert process() == [
        (EventState.PROCESSED, None),
        (QUARANTINED, "its proof of work was used before"),
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b'{"success": true}', (EventState.PROCESSED, None)),
        (
            b'{"success": false, "error-codes": ["timeout-or-duplicate"]}',
            (QUARANTINED, "turnstile says no: timeout-or-duplicate"),
        ),
        (b'{"success": "true"}', (QUARANTINED, "turnstile says no")),
        (Permanent("answered 400"), (QUARANTINED, "turnstile could not be asked: answered 400")),
        (b"<html>", (QUARANTINED, "turnstile could not be asked: the service answered with no JSON")),
    ],
    ids=str,
)
def test_a_captcha_service_is_asked(
    client: FlaskClient,
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
    said: bytes | Exception,
    expected: tuple[EventState, str | None],
) -> None:
    asked: list[Any] = []

    def ask(url: str, headers: dict[str, str], *, form: dict[str, str]) -> bytes:
        asked.append((url, form))
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setattr(http, "ask", ask)
    post(client, "gate", **{"cf-turnstile-response": "t0ken"})
    assert process() == [expected]
    ((url, form),) = asked
    assert url == "https://challenges.cloudflare.com/turnstile/v0/siteverify"
    assert form == {"secret": "s", "response": "t0ken", "remoteip": "127.0.0.1"}


def test_a_captcha_service_that_is_away_means_quarantine_and_not_loss(
    client: FlaskClient, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> bytes:
        raise Retry("no answer: ConnectTimeout")

    monkeypatch.setattr(http, "ask", away)
    now = clock.now()
    post(client, "gate", **{"cf-turnstile-response": "t0ken"})
    for minutes, expected in ((1, EventState.RECEIVED), (2, EventState.RECEIVED), (3, QUARANTINED)):
        with clock.frozen(now + timedelta(minutes=minutes)):
            assert process()[0][0] is expected
    assert process()[0][1] == "turnstile could not be asked: no answer: ConnectTimeout"


def test_a_file_is_kept_though_a_captcha_was_asked_first(
    client: FlaskClient, process: Process, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ask", lambda url, headers, form: b'{"success": true}')
    fields = GOOD | {"cf-turnstile-response": "tok", "plan": (io.BytesIO(b"%PDF-1.7\n"), "plan.pdf")}
    assert client.post("/in/forms/gate", data=fields, headers=SCRIPT).status_code == 202
    assert process() == [(EventState.PROCESSED, None)]
    with database.reading() as session:
        (row,) = session.scalars(select(Attachment))
    assert storage.get(row.place) == b"%PDF-1.7\n"


def test_prints_are_forgotten_after_a_day(
    client: FlaskClient, process: Process, database: db.Database
) -> None:
    post(client, "guarded", message="A text that is long enough to be told from others by its words")
    process()
    for days, left in ((0, 1), (2, 0)):
        with clock.frozen(clock.now() + timedelta(days=days)):
            clockwork.forget_prints()
        with database.reading() as session:
            assert len(session.scalars(select(FormPrint)).all()) == left
