"""Click to call for a contact or a deal, also where no lead is open; rules hear of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core import clock, db
from crm import activities, leads, timeline
from crm.conversion import Into, convert
from models.activity import Activity
from models.call_order import CallOrder
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead, LeadStatus
from models.user import User
from tests.factories import enquire
from tests.intake.calls.conftest import House, every
from tests.intake.calls.test_dialling import ACCOUNT, CLIENT, LINES, NOON, OURS, asks_first, play_twilio


@pytest.fixture
def twilio(house: House) -> House:
    house.configure(LINES["twilio"])
    house.provider.on("POST", "api.twilio.com", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", asks_first)
    return house


def client_of(deal: bool) -> tuple[int, int | None]:
    """A contact of Ana's with no open lead, and their open deal."""
    with db.unit_of_work() as session:
        lead = enquire(session, phones=(CLIENT,)).lead
        ana = session.scalars(select(User).where(User.email == "ana@acme.test")).one()
        leads.assign(session, lead, ana, actor="service", why="test")
        into = Into(frozenset({"contact", "deal"} if deal else {"contact"}))
        made = convert(session, lead, into=into, by="service")
        assert made.contact is not None
        return made.contact.id, made.deal.id if made.deal else None


@pytest.mark.parametrize("deal", [True, False])
def test_a_contact_without_an_open_lead_is_called_and_rules_hear_of_it(twilio: House, deal: bool) -> None:
    rules = """  - {name: heard, on: call.completed, do: [{comment: "over: {{ call.result }}"}]}
  - {name: said, on: activity.completed, when: 'activity.outcome == "interested"', do: [add_tag: keen]}
"""
    twilio.configure(LINES["twilio"], rules=rules)
    contact_id, deal_id = client_of(deal)
    kind, element = (Deal, deal_id) if deal else (Contact, contact_id)
    with db.unit_of_work() as session:
        row = session.get_one(kind, element)  # type: ignore[arg-type]
        due = clock.now() + timedelta(hours=5)
        planned = activities.plan(session, row, type="call", subject="Call", due_at=due, actor="service").id
    with clock.frozen(NOON):
        answer = twilio.ask("POST", "/calls", json={"contact": contact_id})
        assert answer.status_code == 202, answer.text
        made = dict(answer.json or {})
        assert (made["lead_id"], made["deal_id"], made["contact_id"]) == (None, deal_id, contact_id)
        assert (made["order"]["activity_id"], made["order"]["agent"]) == (planned, "ana@acme.test")
        again = twilio.ask("POST", "/calls", json={"phone": CLIENT, "agent": "ana@acme.test"})
        assert (again.status_code, "being called already" in again.text) == (409, True)
        twilio.work()
        play_twilio(twilio, every(CallOrder)[0].token)
    said = twilio.ask("POST", f"/calls/{made['id']}/outcome", json={"outcome": "interested"})
    assert said.status_code == 200, said.text
    with db.reading() as session:
        row = session.get_one(kind, element)  # type: ignore[arg-type]
        told = [e.summary for e in session.scalars(timeline.of(session, row))]
        assert row.tags == ["keen"]
        assert session.get_one(Activity, planned).outcome == "interested"
    assert [t for t in told if t.startswith(("Ana calls", "Outgoing", "Outcome", "over"))] == [
        f"Ana calls {CLIENT}", f"Outgoing call answered, 51 s: {CLIENT}", "over: answered",
        "Outcome of the call: interested",
    ]  # fmt: skip
    assert len(every(Lead)) == 1


def test_a_contact_s_open_lead_has_the_call_and_a_deal_its_own(twilio: House) -> None:
    contact_id, deal_id = client_of(deal=True)
    with db.unit_of_work() as session:
        lead = session.scalars(select(Lead)).one()
        lead.status, lead_id = LeadStatus.NEW, lead.id
    found = twilio.ask("POST", "/calls", json={"deal": deal_id}).json or {}
    assert (found["lead_id"], found["deal_id"]) == (None, deal_id)
    with clock.frozen(clock.now() + timedelta(minutes=5)):
        found = twilio.ask("POST", "/calls", json={"contact": contact_id}).json or {}
    assert (found["lead_id"], found["deal_id"]) == (lead_id, None)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"contact": 99}, 404, "no such contact"),
        ({"deal": 99}, 404, "no such deal"),
        ({"contact": 1, "deal": 1}, 422, "is given already"),
        ({"contact": 1, "activity": 77}, 422, "none of this contact's"),
        ({"contact": 1, "phone": OURS}, 422, "one of our own lines"),
    ],
)
def test_what_of_a_contact_cannot_be_called(twilio: House, body: Any, status: int, words: str) -> None:
    client_of(deal=False)
    answer = twilio.ask("POST", "/calls", json=body)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert every(CallOrder) == []
