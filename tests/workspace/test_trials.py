"""Rules carry tests: publishing refuses on failure, and nothing of a test stays."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import db, queue
from core.errors import Invalid
from models.activity import Activity
from models.contact_point import Person
from models.inbound import InboundEvent
from models.lead import Lead
from models.rule import Rotation, RulesetVersion, Run
from tests.factories import WORKSPACE, configure, configure_in
from workspace.export import export

RULES = """
  - name: Big ones
    on: lead.created
    when: lead.fields.employees >= 200
    do:
      - assign: {user: ana@acme.test}
      - add_tag: enterprise
      - schedule: {type: call, subject: "Call {{ lead.name }}", due: 15 business minutes, calendar: office}
      - send_email: {template: welcome}
    tests:
      - name: a big one goes to Ana
        given: {name: Maria, email: m@client.test, fields: {employees: 500}, at: "2026-11-23 17:50"}
        expect:
          owner: ana@acme.test
          tags: [enterprise]
          rules: [Big ones]
          steps: [send_email]
          activities: [{type: call, subject: Call Maria, due: "2026-11-24 09:05"}]
  - name: Missed calls
    on: call.missed
    do: [assign: {team: inbound}, set: {urgent: "{{ call.result }}"}]
"""
TESTS = """
  - name: a small one goes to nobody
    given: {email: x@client.test, fields: {employees: 3}}
    expect: {owner: null, tags: [], rules: [], activities: []}
  - name: a missed call goes to the team
    given: {channel: call, phone: "+5511987654321", result: busy}
    expect: {team: inbound, fields: {urgent: busy}, status: new, score: 0}
  - name: who comes again has one lead
    given: [{email: x@client.test, fields: {employees: 900}}, {email: x@client.test, message: again}]
    expect: {owner: ana@acme.test, rules: [Big ones]}
"""


def test_rules_whose_tests_hold_are_published_and_nothing_of_the_tests_stays(database: db.Database) -> None:
    with database.unit_of_work() as session:
        configure_in(session, rules=RULES, tests=TESTS)
        assert queue.taken(session) == []
    with database.reading() as session:
        for table in (Lead, Person, Run, Activity, Rotation, InboundEvent):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        assert [v.id for v in session.scalars(select(RulesetVersion))] == [1]
        exported = export(session)
    assert [t["name"] for t in exported["tests"]] == [
        "a small one goes to nobody",
        "a missed call goes to the team",
        "who comes again has one lead",
    ]
    assert exported["rules"][0]["tests"][0]["name"] == "a big one goes to Ana"


@pytest.mark.parametrize(
    ("broken", "instead", "words"),
    [
        (
            "user: ana@acme.test",
            "user: bruno@acme.test",
            "owner: expected ana@acme.test, found bruno@acme.test",
        ),
        ("add_tag: enterprise", "add_tag: big", "tags: expected enterprise, found big"),
        ("15 business minutes", "15 minutes", "found call Call Maria 2026-11-23 18:05"),
        ("send_email: {template: welcome}", "comment: x", "steps: expected send_email among them"),
        ("employees >= 200", "employees >= 2", "expected nobody, found ana@acme.test"),
        ("team: inbound}, set", "user: clara@acme.test}, set", "expected somebody of inbound"),
        ("{{ call.result }}", "{{ call.line }}", "field urgent: expected busy"),
    ],
)
def test_rules_whose_tests_fail_are_not_published(
    database: db.Database, broken: str, instead: str, words: str
) -> None:
    configure(rules=RULES, tests=TESTS)
    with pytest.raises(Invalid) as refused:
        configure(rules=RULES.replace(broken, instead), tests=TESTS)
    assert words in str(refused.value)
    assert "workspace.yaml:" in str(refused.value)
    assert "came out otherwise" in str(refused.value)
    with database.reading() as session:
        assert [v.id for v in session.scalars(select(RulesetVersion))] == [1]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("{name: a, given: {emial: x}, expect: {}}", "is not known here"),
        ("{name: a, given: {at: yesterday}, expect: {}}", "Invalid isoformat"),
        ("{name: a, given: {channel: pigeon}, expect: {}}", "tests[1].given"),
        ("{name: a, given: {source: nobody, email: a@b.test}, expect: {}}", "there is no form 'nobody'"),
    ],
)
def test_a_test_that_makes_no_sense_is_told_with_its_place(session: Session, test: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        configure_in(session, WORKSPACE, rules=RULES, tests=f"  - {test}")
    assert words in str(refused.value)
