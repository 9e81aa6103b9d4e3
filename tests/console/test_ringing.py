"""Calls that ring, on every page of whom they concern: from the webhook to the screen."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from console import auth, ringing
from core import clock, db
from core.errors import Unavailable
from core.settings import settings
from crm import counters, leads
from models.call import Call, CallResult
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.timeline import TimelineEntry
from models.user import User
from tests.console import seed
from tests.console.conftest import token
from tests.factories import NOON, configure, enquire
from tests.servers import telephony
from tests.web import application
from worker import executor

PEOPLE = """
workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL}
users:
  - {email: ana@acme.test, name: Ana, phone: '+5511999990001'}
  - {email: bruno@acme.test, name: Bruno}
  - {email: clara@acme.test, name: Clara, role: manager}
teams: [{key: inbound, members: [ana@acme.test]}]
forms: [{key: contact}]
"""
LINE = f"key: main, name: Main line, provider: generic, secret: {telephony.LINES['generic']['secret']}"
CALLER = "+5511912345678"
Browsers = Callable[[str], FlaskClient]


@pytest.fixture
def browser(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browsers]:
    """Makes a browser in which somebody has signed in."""
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "https://in.acme.test")
    monkeypatch.setattr(ringing, "FRESH", 0.0)
    monkeypatch.setattr(ringing, "PEOPLE_FRESH", 0.0)
    settings.cache_clear()
    configure(PEOPLE, lines=f"  - {{{LINE}, team: inbound}}\n")
    with db.unit_of_work() as session:
        for user in session.scalars(select(User)):
            auth.set_password(session, user, seed.PASSWORD)

    def signed_in(name: str) -> FlaskClient:
        client = app.test_client()
        form = {"email": f"{name}@acme.test", "password": seed.PASSWORD}
        answer = client.post("/sign-in", data={"csrf_token": token(client.get("/sign-in")), **form})
        assert answer.status_code == 303
        return client

    with application() as app, clock.frozen(NOON):
        app.config["SESSION_COOKIE_SECURE"] = False
        yield signed_in


NOTHING = {"overdue": 0, "due_today": 0, "unanswered": 0, "without_next_step": 0, "unread": 0}


def tell(client: FlaskClient, status: str = "ringing", call_id: str = "c1", **said: Any) -> None:
    common = {"call_id": call_id, "direction": "inbound", "from": CALLER, "to": "+551140000000"}
    document = {"type": "call.event", "data": {**common, "status": status, **said}}
    url = "https://in.acme.test/in/calls/generic/main"
    _, _, headers, body = telephony.request("generic", url, document, clock.now())
    stranger = client.application.test_client()
    assert stranger.post("/in/calls/generic/main", headers=headers, data=body).status_code == 200
    with db.reading() as session:
        waiting = session.scalars(
            select(InboundEvent.id).where(InboundEvent.state == EventState.RECEIVED).order_by(InboundEvent.id)
        ).all()
    for event_id in waiting:
        executor.process_event(event_id)


def rings(client: FlaskClient) -> list[dict[str, Any]]:
    answer = client.get("/ringing")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = json.loads(answer.data)["rings"]
    return found


def known(owner: str | None = "bruno@acme.test") -> int:
    with db.unit_of_work() as session:
        lead = enquire(session, phones=(CALLER,)).lead
        if owner is not None:
            user = session.scalars(select(User).where(User.email == owner)).one()
            leads.assign(session, lead, user, actor="service", why="test")
        return lead.id


def test_a_client_s_call_rings_for_their_owner_and_the_line_s_team_until_it_is_answered(
    browser: Browsers,
) -> None:
    lead_id = known()
    ana, bruno, clara = map(browser, ("ana", "bruno", "clara"))
    with clock.frozen(NOON + timedelta(hours=2)):
        tell(ana)
        (shown,) = rings(bruno)
        notes = shown.pop("notes")
        assert shown == {
            "id": 1, "title": "Maria Souza", "number": CALLER, "line": "Main line", "mine": True,
            "open": f"/leads/{lead_id}", "take": None,
        }  # fmt: skip
        assert notes[0] == "Your client"
        assert notes[1].startswith("Last: Today 12:00, Form")
        assert [r["notes"][0] for r in rings(ana)] == ["Client of Bruno"]
        assert rings(clara) == []
        tell(ana, "answered", answered_at=clock.now().isoformat())
        assert rings(ana) == rings(bruno) == []


@pytest.mark.parametrize("end", ["missed", "canceled", "busy", "voicemail"])
def test_an_unknown_caller_rings_too_until_the_call_ends(browser: Browsers, end: str) -> None:
    ana = browser("ana")
    tell(ana, caller_name="SOUZA MARIA")
    (shown,) = rings(ana)
    assert (shown["title"], shown["number"], shown["notes"]) == ("SOUZA MARIA?", CALLER, ["Not known yet"])
    assert (shown["open"], shown["take"]) == (None, "/calls/1/take")
    tell(ana, end, ended_at=clock.now().isoformat())
    assert rings(ana) == []


def test_a_withheld_caller_rings_and_a_colleague_does_not(browser: Browsers) -> None:
    ana = browser("ana")
    tell(ana, **{"from": "anonymous"})
    tell(ana, call_id="c2", **{"from": "+5511999990001"})
    tell(ana, call_id="c3", direction="outbound")
    assert [r["title"] for r in rings(ana)] == ["Withheld number"]


def test_a_call_of_which_nothing_is_heard_rings_no_longer_than_telephones_do(browser: Browsers) -> None:
    ana = browser("ana")
    tell(ana)
    with clock.frozen(NOON + timedelta(minutes=2)):
        assert len(rings(ana)) == 1
    with clock.frozen(NOON + timedelta(minutes=4)):
        assert rings(ana) == []


def test_it_rings_until_one_of_the_telephones_is_answered(browser: Browsers) -> None:
    ana = browser("ana")
    tell(ana)
    tell(ana, leg="a", to="101")
    tell(ana, "answered", answered_at=clock.now().isoformat(), type="x")
    assert len(rings(ana)) == 1
    tell(ana, "answered", leg="a", to="101", answered_at=clock.now().isoformat())
    assert rings(ana) == []


def test_whoever_takes_the_call_has_its_lead_before_they_speak(browser: Browsers) -> None:
    ana = browser("ana")
    tell(ana)
    page = ana.get("/leads")
    assert '<script src="/static/console/ringing.js" defer></script>' in page.text
    (shown,) = rings(ana)
    taken = ana.post(shown["take"], data={"csrf_token": token(page)})
    assert (taken.status_code, taken.location) == (303, "/leads/1")
    again = browser("bruno").post(shown["take"], data={"csrf_token": "none"})
    assert again.status_code == 400
    assert ana.post(shown["take"], data={"csrf_token": token(page)}).location == "/leads/1"
    (shown,) = rings(ana)
    assert (shown["open"], shown["take"], shown["notes"][0]) == ("/leads/1", None, "Your client")
    tell(
        ana,
        "answered",
        answered_at=clock.now().isoformat(),
        ended_at=clock.now().isoformat(),
        talk_seconds=30,
    )
    with db.reading() as session:
        (lead,) = session.scalars(select(Lead))
        (call,) = session.scalars(select(Call))
        assert lead.owner is not None
        assert (lead.owner.name, lead.phone, call.lead_id, call.result) == (
            "Ana",
            CALLER,
            1,
            CallResult.ANSWERED,
        )
        told = session.scalars(select(TimelineEntry.summary).order_by(TimelineEntry.id)).all()
    assert [s.partition(":")[0] for s in told] == ["Call", "Assigned to Ana", "Call answered, 30 s"]


def test_a_call_that_is_nobody_s_enquiry_cannot_be_taken(browser: Browsers) -> None:
    ana = browser("ana")
    tell(ana, direction="outbound")
    csrf = token(ana.get("/leads"))
    assert ana.post("/calls/1/take", data={"csrf_token": csrf}).status_code == 409
    assert ana.post("/calls/99/take", data={"csrf_token": csrf}).status_code == 404


def test_only_who_is_signed_in_hears_of_calls(browser: Browsers) -> None:
    ana = browser("ana")
    tell(ana)
    stranger = ana.application.test_client()
    assert stranger.get("/ringing").status_code == 401
    with db.unit_of_work() as session:
        session.scalars(select(User).where(User.email == "ana@acme.test")).one().session_epoch += 1
    assert ana.get("/ringing").status_code == 401


def test_without_a_team_a_line_rings_for_everybody_and_without_a_line_pages_seldom_ask(
    browser: Browsers,
) -> None:
    clara = browser("clara")
    configure(PEOPLE, lines=f"  - {{{LINE}}}\n")
    tell(clara)
    assert len(rings(clara)) == 1
    assert clara.get("/ringing").json == {
        "again": 500,
        "rings": rings(clara),
        "placed": [],
        "counters": NOTHING,
    }
    configure(PEOPLE, lines="  []\n")
    assert clara.get("/ringing").json == {"again": 1000, "rings": [], "placed": [], "counters": NOTHING}


def test_hostile_words_of_a_caller_are_only_words(browser: Browsers) -> None:
    ana = browser("ana")
    tell(ana, caller_name="<img src=x onerror=alert(1)> Eve", **{"from": "sip:<script>@x"})
    (shown,) = rings(ana)
    answer = ana.get("/ringing")
    assert answer.content_type == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<img" in shown["title"]  # the script writes it as text


def test_counters_are_counted_anew_once_something_has_happened_and_told_in_a_line_if_not(
    browser: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ringing, "COUNTED_FRESH", 3600.0)
    monkeypatch.setattr(ringing, "RECOUNTED", 0.0)
    counted: list[int] = []
    real = counters.of_users

    def count(*arguments: Any) -> Any:
        counted.append(1)
        return real(*arguments)

    monkeypatch.setattr(counters, "of_users", count)
    ana = browser("ana")
    first = ana.get("/ringing")
    assert first.json["counters"]["unanswered"] == 0
    same = ana.get("/ringing", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data, len(counted)) == (304, b"", 1)
    with db.unit_of_work() as session:
        lead = enquire(session).lead
        lead.owner = session.scalars(select(User).where(User.name == "Ana")).one()
    told = ana.get("/ringing", headers={"If-None-Match": first.headers["ETag"]})
    assert (told.status_code, told.json["counters"]["unanswered"], len(counted)) == (200, 1, 2)


def test_many_who_ask_at_once_cost_the_database_one_look(
    browser: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = browser("ana")
    tell(ana)
    rings(ana)
    monkeypatch.setattr(ringing, "FRESH", 3600.0)
    looked: list[int] = []
    real = db.reading

    @contextmanager
    def counted() -> Iterator[Any]:
        looked.append(1)
        with real() as session:
            yield session

    monkeypatch.setattr(db, "reading", counted)
    threads = [threading.Thread(target=lambda: rings(ana)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looked == []


def test_without_the_database_pages_are_told_to_come_again(
    browser: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = browser("ana")
    rings(ana)

    @contextmanager
    def away() -> Iterator[Any]:
        raise Unavailable("the database does not answer")
        yield

    monkeypatch.setattr(db, "reading", away)
    assert ana.get("/ringing").status_code == 503
