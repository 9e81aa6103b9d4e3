"""A draft is tried on past leads: who would go elsewhere; and nothing is written."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, db
from models.base import Base
from models.lead import LeadStatus
from models.rule import RulesetVersion
from rules.backtest import as_page, as_table, backtest
from rules.difference import difference
from tests.factories import NOON, WORKSPACE, configure, enquire

PRESENT = """
  - {name: Big, on: lead.created, when: lead.fields.employees >= 200, do: [assign: {user: ana@acme.test}]}
  - {name: Others, on: lead.created, when: '!has(lead.fields.employees)', do: [assign: {user: bruno@acme.test}]}
"""
DRAFT = [
    {
        "name": "Big",
        "on": "lead.created",
        "when": "lead.fields.employees >= 100",
        "do": [
            {"add_tag": "big"},
            {
                "if": '"big" in lead.tags',
                "then": [{"assign": {"user": "clara@acme.test"}}],
                "else": [{"assign": {"user": "bruno@acme.test"}}],
            },
            {"schedule": {"subject": "x", "due": "1 hours"}},
            {"wait": "1 hours"},
            {"assign": {"user": "bruno@acme.test"}},
        ],
    },
    {"name": "Tagged", "on": "tag.added", "do": [{"score": 5}]},
    {
        "name": "Scored",
        "on": "lead.updated",
        "when": "lead.score == 5",
        "do": [{"set": {"segment": "{{ lead.channel }}"}}],
    },
]


def rows(session: Session) -> dict[str, int]:
    tables = Base.metadata.sorted_tables
    return {t.name: session.scalar(select(func.count()).select_from(t)) or 0 for t in tables}


@pytest.fixture
def leads(database: db.Database) -> None:
    configure(WORKSPACE, rules=PRESENT)
    with clock.frozen(NOON), database.unit_of_work() as session:
        for n, employees in enumerate((500, 150, 20, None)):
            fields = {"employees": employees} if employees is not None else {}
            lead = enquire(session, emails=(f"{n}@x.test",), name=f"<b>{n}</b>", fields=fields).lead
            lead.score, lead.tags = 99, ["later"]  # what came afterwards is not what the rules saw


@pytest.mark.usefixtures("leads")
def test_what_would_go_elsewhere(database: db.Database) -> None:
    with clock.frozen(NOON), database.reading() as session:
        before = rows(session)
        found = backtest(session, DRAFT, days=7)
        assert rows(session) == before
    data = found.as_data()
    json.dumps(data)
    assert (data["leads"], data["owner_changes"]) == (4, 3)
    assert data["unassigned"] == {"now": 2, "draft": 2}
    assert data["activities"] == {"now": 0, "draft": 2}
    assert data["rules"] == {
        "Big": {"now": 1, "draft": 2},
        "Others": {"now": 1, "draft": 0},
        "Tagged": {"now": 0, "draft": 2},
        "Scored": {"now": 0, "draft": 2},
    }
    assert data["people"] == {
        "(nobody)": {"now": 2, "draft": 2},
        "ana@acme.test": {"now": 1, "draft": 0},
        "bruno@acme.test": {"now": 1, "draft": 0},
        "clara@acme.test": {"now": 0, "draft": 2},
    }
    moved = {m["lead_id"]: (m["owner"], m["now"], m["draft"]) for m in data["moved"]}
    assert moved == {
        1: ("ana@acme.test", "ana@acme.test", "clara@acme.test"),
        2: (None, None, "clara@acme.test"),
        4: ("bruno@acme.test", "bruno@acme.test", None),
    }
    text = "\n".join(as_table(found))
    assert "3 would go to somebody else" in text
    assert "ana@acme.test → clara@acme.test" in text
    page = as_page(found)
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert "<b>0" not in page


@pytest.mark.usefixtures("leads")
def test_the_rules_in_force_against_themselves_change_nothing(database: db.Database) -> None:
    with clock.frozen(NOON), database.reading() as session:
        rules = session.scalars(select(RulesetVersion.rules)).one()
        assert backtest(session, rules, days=7).as_data()["owner_changes"] == 0


@pytest.mark.usefixtures("leads")
def test_only_the_days_that_are_asked_for_count(database: db.Database) -> None:
    with clock.frozen(NOON + timedelta(days=8)), database.reading() as session:
        assert backtest(session, DRAFT, days=7).leads == 0
        assert backtest(session, DRAFT, days=9).leads == 4


def test_differences_are_told_in_words() -> None:
    before = [
        {"name": "A", "on": "lead.created", "when": "lead.score > 1", "do": [{"add_tag": "x"}]},
        {"name": "B", "on": "lead.created", "do": [{"add_tag": "y"}]},
        {"name": "C", "on": "lead.created", "do": [{"set": {"x": 1}}]},
    ]
    after = [
        {"name": "C", "on": "lead.created", "do": [{"set": {"x": 2}}]},
        {
            "name": "A",
            "on": "lead.repeat",
            "when": "lead.score > 2",
            "active": False,
            "do": [{"add_tag": "z"}, {"if": "lead.score > 5", "then": ["stop"]}],
        },
        {"name": "D", "on": "manual", "do": ["unassign"]},
    ]
    assert list(difference(before, after)) == [
        "- B",
        "~ C",
        "    its steps have other settings",
        "~ A",
        "    waits for lead.repeat instead of lead.created",
        "    asks lead.score > 2 instead of lead.score > 1",
        "    is not looked at any more",
        "    - Add the tag x",
        "    + Add the tag z",
        "    + Go one way if lead.score > 5",
        "    +   then:",
        "    +     Stop here",
        "+ D: waits for manual",
        "    Take from the owner",
        "~ the order: C, A",
    ]
    assert list(difference(after, after)) == []


SHIFTS = """
workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL, catch_all: dora@acme.test}
users:
  - {email: ana@acme.test, name: Ana, capacity: 2}
  - {email: bruno@acme.test, name: Bruno, absences: [{from: "2026-11-24", to: "2026-11-24"}]}
  - {email: clara@acme.test, name: Clara, daily: 1}
  - {email: dora@acme.test, name: Dora, absences: [{from: "2026-11-20", to: "2026-12-20"}]}
teams:
  - {key: first, members: [ana@acme.test, bruno@acme.test], calendar: office}
  - {key: second, members: [clara@acme.test]}
calendars: [{key: office, hours: {mon-fri: "09:00-18:00"}}]
forms: [{key: contact}]
"""


def test_who_could_not_have_a_lead_then_is_passed_over_and_a_lead_may_wait(database: db.Database) -> None:
    configure(SHIFTS, rules="  - {name: all, on: lead.created, do: [assign: {team: second}]}")
    moments = [
        NOON,  # Monday, 12:00: Ana, whose turn it is
        NOON + timedelta(hours=1),  # Bruno
        NOON + timedelta(hours=2),  # Ana
        NOON + timedelta(hours=3),  # Bruno: Ana has two
        NOON
        + timedelta(hours=8),  # at night nobody; on Tuesday Bruno is away and Ana full; on Wednesday Bruno
    ]
    for n, moment in enumerate(moments):
        with clock.frozen(moment), database.unit_of_work() as session:
            enquire(session, emails=(f"{n}@x.test",))
    draft = [{"name": "all", "on": "lead.created", "do": [{"assign": {"team": "first"}}]}]
    with clock.frozen(NOON + timedelta(days=3)), database.reading() as session:
        found = backtest(session, draft, days=7)
    data = found.as_data()
    assert data["waited"] == {"now": 4, "draft": 1}
    assert data["unassigned"] == {"now": 1, "draft": 0}  # Clara has had one on each of four days
    assert data["people"]["ana@acme.test"] == {"now": 0, "draft": 2}
    assert data["people"]["bruno@acme.test"] == {"now": 0, "draft": 3}
    assert data["people"]["clara@acme.test"] == {"now": 4, "draft": 0}
    assert "waited for somebody: 4 now, 1 with the draft" in "\n".join(as_table(found))


def test_a_backtest_knows_who_had_the_person_before(database: db.Database) -> None:
    configure(SHIFTS, rules="  - {name: all, on: lead.created, do: [assign: {user: clara@acme.test}]}")
    with clock.frozen(NOON), database.unit_of_work() as session:
        old = enquire(session, emails=("old@x.test",)).lead
        old.status = LeadStatus.CONVERTED
    with clock.frozen(NOON + timedelta(days=4)), database.unit_of_work() as session:
        enquire(session, emails=("old@x.test",))
        enquire(session, emails=("new@x.test",))
    draft = [{"name": "all", "on": "lead.created", "do": [{"assign": {"team": "first", "sticky": True}}]}]
    with clock.frozen(NOON + timedelta(days=4)), database.reading() as session:
        assert backtest(session, draft, days=1).as_data()["people"] == {
            "clara@acme.test": {"now": 2, "draft": 1},
            "ana@acme.test": {"now": 0, "draft": 1},
        }
