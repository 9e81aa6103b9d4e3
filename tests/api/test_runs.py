"""Runs over the API: started by hand, looked at, ended, and a failed step done again or left out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock, db
from crm import notifications
from models.lead import Lead
from models.rule import StepRow
from models.storm import Storm
from models.user import User
from rules import runs
from tests.api.conftest import Ask
from tests.factories import configure, enquire

RULES = """
  - {name: Nurture, on: manual, when: lead.score >= 0, do: [wait: 3 days, add_tag: nurtured]}
  - {name: Never, on: manual, when: lead.score > 1000, do: [add_tag: never]}
  - {name: Gone, on: manual, do: [assign: {user: bruno@acme.test}, add_tag: after]}
  - {name: Mail, on: manual, do: [notify: {to: owner, text: x}]}
"""


@pytest.fixture
def lead(ask: Ask, database: db.Database) -> int:
    configure(rules=RULES)
    with database.unit_of_work() as session:
        return enquire(session).lead.id


def test_a_rule_is_started_on_a_lead_and_its_run_can_be_ended(ask: Ask, lead: int) -> None:
    started = ask("POST", "/runs", json={"rule": "Nurture", "lead": lead})
    assert started.status_code == 201
    run = started.get_json()
    assert (run["state"], run["trigger"]) == ("active", "manual")
    assert [(s["kind"], s["state"]) for s in run["steps"]] == [("wait", "waiting")]
    assert ask("GET", f"/runs?lead={lead}&state=active").get_json()["items"] == [run]
    ended = ask("POST", f"/runs/{run['id']}/cancel").get_json()
    assert (ended["state"], ended["ended_why"]) == ("cancelled", "cancelled by token:admin")
    assert ended["steps"][0]["state"] == "cancelled"
    assert ask("POST", f"/runs/{run['id']}/cancel").status_code == 409
    assert ask("GET", f"/runs?lead={lead}&state=active").get_json()["items"] == []


def test_a_rule_runs_on_a_deal_and_says_why(ask: Ask, database: db.Database) -> None:
    rules = """
  - {name: new, on: deal.created, when: deal.amount > 10.0, do: [assign: {team: inbound}, score: 1]}
  - {name: hand, on: manual, when: 'deal.stage != ""', do: [add_tag: by-hand]}
"""
    configure(rules=rules)
    deal = ask("POST", "/deals", json={"title": "Ovens", "amount": "20"}).get_json()
    assert deal["owner"]["email"] == "ana@acme.test"
    why = ask("GET", f"/deals/{deal['id']}/trace").get_json()["items"]
    assert [(t["trigger"], [r["rule"] for r in t["rules"]]) for t in why] == [("deal.created", ["new"])]
    assert why[0]["rules"][0]["parts"][0]["saw"] == {"deal.amount": 20.0}
    assert [s["state"] for s in why[0]["rules"][0]["steps"]] == ["done", "failed"]
    run = ask("POST", "/runs", json={"rule": "hand", "deal": deal["id"]}).get_json()
    assert (run["lead_id"], run["deal_id"], run["state"]) == (None, deal["id"], "done")
    assert ask("GET", f"/deals/{deal['id']}").get_json()["tags"] == ["by-hand"]
    assert len(ask("GET", f"/runs?deal={deal['id']}").get_json()["items"]) == 2
    for body in ({"rule": "hand"}, {"rule": "hand", "deal": deal["id"], "lead": 1}):
        assert ask("POST", "/runs", json=body).status_code == 422
    assert ask("POST", "/runs", json={"rule": "hand", "deal": 99}).status_code == 404
    assert ask("GET", "/deals/99/trace").status_code == 404
    failed = why[0]["rules"][0]["steps"][1]["id"]
    assert ask("POST", f"/steps/{failed}/retry").get_json()["state"] == "failed"
    assert ask("POST", f"/steps/{failed}/skip").get_json()["state"] == "skipped"
    assert ask("DELETE", f"/deals/{deal['id']}", headers={"If-Match": "*"}).status_code == 204
    assert ask("GET", "/runs").get_json()["items"] == []


def test_the_same_key_starts_it_once(ask: Ask, lead: int) -> None:
    for _ in range(2):
        told = {"Idempotency-Key": "k1"}
        answered = ask("POST", "/runs", json={"rule": "Nurture", "lead": lead}, headers=told)
        assert answered.status_code == 201
    assert len(ask("GET", "/runs").get_json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"rule": "Never", "lead": 1}, 409, "its condition is not true"),
        ({"rule": "Nobody", "lead": 1}, 409, "there is no active rule"),
        ({"rule": "Nurture", "lead": 99}, 404, "no such lead"),
        ({"rule": "Nurture"}, 422, ""),
        ({"rule": "", "lead": 1}, 422, ""),
    ],
)
def test_what_cannot_be_started_is_refused(
    ask: Ask, lead: int, body: dict[str, object], status: int, words: str
) -> None:
    answered = ask("POST", "/runs", json=body)
    assert answered.status_code == status
    assert words in answered.get_data(as_text=True)


def test_a_failed_step_is_done_again_once_its_cause_is_mended(
    ask: Ask, database: db.Database, lead: int
) -> None:
    with database.unit_of_work() as session:
        session.scalars(select(User).where(User.email == "bruno@acme.test")).one().active = False
    run = ask("POST", "/runs", json={"rule": "Gone", "lead": lead}).get_json()
    assert run["state"] == "failed"
    step = run["steps"][0]
    assert (step["state"], step["result"]) == ("failed", "bruno@acme.test has left")
    assert ask("POST", f"/steps/{step['id']}/retry").get_json()["state"] == "failed"
    with database.unit_of_work() as session:
        session.scalars(select(User).where(User.email == "bruno@acme.test")).one().active = True
    again = ask("POST", f"/steps/{step['id']}/retry").get_json()
    assert (again["state"], again["attempts"]) == ("done", 3)
    assert ask("GET", f"/runs/{run['id']}").get_json()["state"] == "done"
    assert ask("POST", f"/steps/{step['id']}/retry").status_code == 409
    assert ask("GET", f"/leads/{lead}").get_json()["owner"]["email"] == "bruno@acme.test"


def test_a_step_of_a_worker_is_done_again_with_all_its_attempts(
    ask: Ask, database: db.Database, lead: int
) -> None:
    run = ask("POST", "/runs", json={"rule": "Mail", "lead": lead}).get_json()
    step_id = run["steps"][0]["id"]
    with database.unit_of_work() as session:
        assert runs.claim(session, step_id) is None  # nobody owns the lead
    assert ask("GET", f"/runs/{run['id']}").get_json()["state"] == "failed"
    again = ask("POST", f"/steps/{step_id}/retry").get_json()
    assert (again["state"], again["attempts"]) == ("ready", 0)
    assert ask("GET", f"/runs/{run['id']}").get_json()["state"] == "active"


def test_a_step_is_left_out_and_the_run_goes_on(ask: Ask, database: db.Database, lead: int) -> None:
    run = ask("POST", "/runs", json={"rule": "Nurture", "lead": lead}).get_json()
    skipped = ask("POST", f"/steps/{run['steps'][0]['id']}/skip").get_json()
    assert (skipped["state"], skipped["result"]) == ("skipped", "skipped by token:admin")
    assert ask("GET", f"/leads/{lead}").get_json()["tags"] == ["nurtured"]
    assert ask("GET", f"/runs/{run['id']}").get_json()["state"] == "done"
    with database.reading() as session:
        due = select(StepRow.id).where(runs.due(clock.now() + timedelta(days=9)))
        assert session.scalars(due).all() == []
        assert session.scalars(select(Lead.tags)).one() == ["nurtured"]


@pytest.mark.parametrize("path", ["/runs/99/cancel", "/steps/99/retry", "/steps/99/skip"])
def test_what_is_not_there_is_not_found(ask: Ask, lead: int, path: str) -> None:
    assert ask("POST", path).status_code == 404


def test_readers_change_nothing(ask: Ask, lead: int) -> None:
    assert ask("POST", "/runs", role="read-only", json={"rule": "Nurture", "lead": lead}).status_code == 403
    assert ask("GET", "/runs", role="read-only").status_code == 200


def test_an_activity_is_completed_once_and_rules_hear_of_it(ask: Ask, database: db.Database) -> None:
    configure(
        rules="""
  - {name: plan, on: lead.created, do: [schedule: {type: call, subject: Call, due: 1 hours}]}
  - {name: done, on: activity.completed, do: [add_tag: "{{ activity.outcome }}"]}
"""
    )
    with database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
    (activity,) = ask("GET", f"/leads/{lead_id}/activities").get_json()["items"]
    done = ask("POST", f"/activities/{activity['id']}/complete", json={"outcome": "reached"})
    assert (done.get_json()["state"], done.get_json()["outcome"]) == ("done", "reached")
    assert ask("POST", f"/activities/{activity['id']}/cancel", json={}).status_code == 409
    assert ask("GET", f"/leads/{lead_id}").get_json()["tags"] == ["reached"]


def test_an_offered_lead_is_accepted_once(ask: Ask, database: db.Database) -> None:
    configure(rules="  - {name: o, on: lead.created, do: [assign: {offer: inbound}]}")
    with database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
    offers = ask("GET", f"/leads/{lead_id}/offers").get_json()["items"]
    assert sorted((o["user"], o["state"]) for o in offers) == [
        ("ana@acme.test", "open"),
        ("bruno@acme.test", "open"),
    ]
    accepted = ask("POST", f"/leads/{lead_id}/accept", json={"user": "Bruno@acme.test"})
    assert accepted.get_json()["owner"]["email"] == "bruno@acme.test"
    late = ask("POST", f"/leads/{lead_id}/accept", json={"user": "ana@acme.test"})
    assert (late.status_code, "Bruno has it" in late.get_data(as_text=True)) == (409, True)
    assert ask("POST", f"/leads/{lead_id}/accept", json={"user": "clara@acme.test"}).status_code == 409
    assert ask("POST", f"/leads/{lead_id}/accept", json={"user": "nobody@acme.test"}).status_code == 404


def test_what_people_were_told_and_rules_that_are_held_back(
    ask: Ask, lead: int, database: db.Database
) -> None:
    with database.unit_of_work() as session:
        ana = session.scalars(select(User).where(User.email == "ana@acme.test")).one()
        row = session.get_one(Lead, lead)
        for key in ("a", "b"):
            notifications.tell(session, [ana], f"Look {key}", effect_key=key, actor="rule:r", about=row)
        session.add(Storm(rule="Nurture", runs=30, lead_id=lead, began_at=clock.now()))
    told = ask("GET", "/notifications?user=ANA@acme.test&unread=true").get_json()["items"]
    assert [(n["text"], n["lead_id"], n["read_at"]) for n in told] == [
        ("Look b", lead, None),
        ("Look a", lead, None),
    ]
    mine = {"user": "ana@acme.test", "ids": [told[0]["id"], 99]}
    assert ask("POST", "/notifications/read", json=mine).get_json() == {"count": 1}
    assert ask("POST", "/notifications/read", json={"user": "ana@acme.test"}).get_json() == {"count": 1}
    assert ask("GET", "/notifications?user=ana@acme.test&unread=true").get_json()["items"] == []
    assert len(ask("GET", "/notifications?user=ana@acme.test").get_json()["items"]) == 2
    for query in ("", "?user=nobody@acme.test", "?user=x"):
        assert ask("GET", f"/notifications{query}").status_code == 422
    assert [s["rule"] for s in ask("GET", "/storms").get_json()["items"]] == ["Nurture"]
    assert ask("POST", "/storms/resume", json={"rule": "Other"}).get_json() == {"count": 0}
    assert ask("POST", "/storms/resume", json={"rule": "Nurture"}).get_json() == {"count": 1}
    assert ask("GET", "/storms").get_json() == {"items": []}
