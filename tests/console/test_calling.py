"""The button that calls, on a lead's page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db
from core.settings import settings
from crm.conversion import Into, convert
from models import (
    Activity,
    CallCommand,
    CallOrder,
    CallResult,
    CommandState,
    Lead,
    Source,
    TimelineEntry,
    User,
)
from tests.console import seed
from tests.console.conftest import token
from tests.intake.calls.conftest import every

LINE = {
    "key": "main",
    "provider": "twilio",
    "auth_token": "x",
    "account_sid": "AC" + "0" * 32,
    "numbers": ["+551140000000"],
}


@pytest.fixture
def lead(people: dict[str, int], database: db.Database, monkeypatch: pytest.MonkeyPatch) -> int:
    """A lead with a number, and a line that can place calls."""
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "https://in.acme.test")
    settings.cache_clear()
    with database.unit_of_work() as session:
        session.get_one(Source, 3).settings = LINE
        session.get_one(User, people["ana"]).phone = "+5511999990001"
        return int(seed.lead(session, name="Maria Souza", phone="+5511987650000").id)


def press(browser: FlaskClient, lead_id: int, path: str | None = None, **fields: Any) -> str:
    """Posts a form of the lead's page, and shows the page that follows."""
    page = browser.get(f"/leads/{lead_id}")
    sent = {"csrf_token": token(page), **fields}
    answer = browser.post(path or f"/leads/{lead_id}/call", data=sent)
    assert answer.status_code == 303, answer.text
    return " ".join(browser.get(f"/leads/{lead_id}").text.split())


def test_the_button_rings_who_pressed_it_and_the_outcome_is_picked_there(
    ana: FlaskClient, lead: int, database: db.Database
) -> None:
    page = press(ana, lead, phone="+5511987650000")
    assert "the telephone of Ana Lima will ring in a moment" in page
    assert shown(page) == {"picks": False, "again": False}
    (order,) = every(CallOrder)
    assert (order.agent_number, order.client_number, order.actor) == (
        "+5511999990001",
        "+5511987650000",
        "user:1",
    )
    with database.unit_of_work() as session:
        call = session.get_one(CallOrder, order.id).call
        call.group_id, call.result, call.talk_seconds = "CA1", CallResult.ANSWERED, 61
    page = " ".join(ana.get(f"/leads/{lead}").text.split())
    assert "Ana Lima called +5511987650000</strong><span>: answered, 1 min 1 s" in page
    page = press(ana, lead, f"/calls/{order.call_id}/outcome", outcome="wrong number", note="A bakery")
    assert '<option value="wrong number" selected>' in page
    assert "Outcome of the call: wrong number. A bakery" in page
    assert shown(page) == {"picks": True, "again": True}


def shown(page: str) -> dict[str, bool]:
    """Which of the two forms about the call are to be seen."""
    found = re.findall(r'data-when="(\w+)"( hidden)?>', page)
    return {name: not hidden for name, hidden in found}


def test_an_open_page_is_told_how_the_call_goes(ana: FlaskClient, lead: int, database: db.Database) -> None:
    def told() -> list[dict[str, Any]]:
        ana.application.extensions["console.lookout"].forget()
        return list((ana.get("/ringing").json or {})["placed"])

    assert told() == []
    page = press(ana, lead, phone="+5511987650000")
    (order,) = every(CallOrder)
    who = "Ana Lima calls +5511987650000"
    first = {"call": order.call_id, "who": who, "words": ": the telephone of Ana Lima will ring in a moment"}
    assert told() == [first | {"picks": False, "again": False}]
    assert f'data-call="{order.call_id}"><strong>{who}</strong><span>{first["words"]}' in page
    for change, words in (
        ({"group_id": "CA1"}, ": the telephones ring"),
        ({"answered_at": clock.now()}, ": they are talking"),
        ({"result": CallResult.ANSWERED, "talk_seconds": 61}, ": answered, 1 min 1 s"),
    ):
        with database.unit_of_work() as session:
            for name, value in change.items():
                setattr(session.get_one(CallOrder, order.id).call, name, value)
        (found,) = told()
        assert (found["words"], found["picks"], found["again"]) == (words, True, "answered" in words)
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        assert told() == []


def test_what_stands_in_the_way_is_said_on_the_page(
    ana: FlaskClient, lead: int, database: db.Database
) -> None:
    with database.unit_of_work() as session:
        session.get_one(User, 1).phone = None
    assert "The call was not placed: Ana Lima has no `phone`" in press(ana, lead)
    with database.unit_of_work() as session:
        session.get_one(User, 1).phone = "+5511999990001"
    press(ana, lead)
    assert "being called already" in press(ana, lead)
    with database.unit_of_work() as session:
        dial = session.get_one(CallCommand, every(CallCommand)[0].id)
        dial.state, dial.error, dial.due_at = CommandState.UNKNOWN, "no answer: ReadTimeout", None
    assert "Nobody knows whether +5511987650000 is being called" in ana.get(f"/leads/{lead}").text


def test_without_a_line_that_places_calls_and_without_rights_there_is_no_button(
    ana: FlaskClient, lead: int, database: db.Database
) -> None:
    assert 'id="calling"' in ana.get(f"/leads/{lead}").text
    csrf = token(ana.get(f"/leads/{lead}"))
    with database.unit_of_work() as session:
        session.get_one(User, 1).role = "read-only"
    assert 'id="calling"' not in ana.get(f"/leads/{lead}").text
    assert ana.post(f"/leads/{lead}/call", data={"csrf_token": csrf}).status_code == 403
    assert ana.post("/calls/1/outcome", data={"csrf_token": csrf, "outcome": "busy"}).status_code == 403
    with database.unit_of_work() as session:
        session.get_one(User, 1).role = "agent"
        session.get_one(Source, 3).settings = {"key": "main"}
    assert 'id="calling"' not in ana.get(f"/leads/{lead}").text
    assert (every(CallOrder), every(Activity)) == ([], [])
    assert [e.kind for e in every(TimelineEntry) if e.kind.startswith("call")] == []


@pytest.mark.parametrize("fields", [{}, {"outcome": "delighted"}, {"outcome": "x" * 9999}])
def test_an_outcome_that_is_none_is_refused(ana: FlaskClient, lead: int, fields: dict[str, str]) -> None:
    press(ana, lead)
    sent = {"csrf_token": token(ana.get(f"/leads/{lead}")), **fields}
    assert ana.post(f"/calls/{every(CallOrder)[0].call_id}/outcome", data=sent).status_code == 422


@pytest.mark.parametrize("deal", [True, False])
def test_the_button_stands_on_the_page_of_a_contact_and_of_a_deal(
    ana: FlaskClient, lead: int, database: db.Database, deal: bool
) -> None:
    with database.unit_of_work() as session:
        into = Into(frozenset({"contact", "deal"}))
        made = convert(session, session.get_one(Lead, lead), into=into, by="service")
        assert made.contact is not None
        assert made.deal is not None
        path = f"/deals/{made.deal.id}" if deal else f"/contacts/{made.contact.id}"
        company_id = made.contact.company_id
    page = ana.get(path)
    assert "Call +5511987650000</button>" in " ".join(page.text.split())
    answer = ana.post(f"{path}/call", data={"csrf_token": token(page), "phone": "+5511987650000"})
    assert answer.status_code == 303
    shown = " ".join(ana.get(answer.headers["Location"]).text.split())
    assert "the telephone of Ana Lima will ring in a moment" in shown
    again = ana.post(f"{path}/call", data={"csrf_token": token(page), "phone": "+5511987650000"})
    assert "is being called already" in ana.get(again.headers["Location"]).text
    with database.unit_of_work() as session:
        call = session.scalars(select(CallOrder)).one().call
        call.group_id, call.result, call.talk_seconds = "CA1", CallResult.ANSWERED, 61
        call_id = call.id
    sent = {"csrf_token": token(page), "outcome": "interested"}
    picked = ana.post(f"/calls/{call_id}/outcome", data=sent)
    assert picked.headers["Location"].startswith("/deals/")  # what is open for them
    assert "Outcome of the call: interested" in ana.get(picked.headers["Location"]).text
    assert ana.post("/contacts/999/call", data={"csrf_token": token(page)}).status_code == 404
    assert ana.post(f"/companies/{company_id or 1}/call", data={"csrf_token": token(page)}).status_code == 404
