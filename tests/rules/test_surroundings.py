"""What conditions may ask around a lead: lists, calendars, the person's past; from the real tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from core import clock
from crm import workspace
from models.call import Call, CallResult
from models.lead import Lead
from models.source import Channel
from rules import surroundings
from rules.explanation import explain
from tests.factories import NOON, configure_in, enquire, source

LISTS = """
  - {key: competitors, values: [Acme.com, "Conceição Ltda", 1234]}
  - {key: partners, values: []}
"""


def rule(when: str) -> str:
    return f"  - {{name: r, on: form.submitted, when: '{when}', do: [add_tag: yes]}}"


def tagged(session: Session, when: str, **enquiry: object) -> bool:
    """Whether the rule with this condition matches an enquiry."""
    configure_in(session, lists=LISTS, rules=rule(when))
    with clock.frozen(NOON):
        return enquire(session, **enquiry).lead.tags == ["yes"]  # type: ignore[arg-type]


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """The SQL that is executed meanwhile."""
    found: list[str] = []

    def note(_c: object, _k: object, statement: str, *_more: object) -> None:
        found.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("when", "enquiry"),
    [
        ('in_list(lead.email, "competitors")', {"emails": ("x@mail.acme.com",)}),
        ('in_list(lead.company, "competitors")', {"company": "CONCEICAO LTDA"}),
        ('in_list(lead.fields.size, "competitors")', {"fields": {"size": 1234}}),
        ('is_open("office") && hour(now()) == 12 && weekday(now()) == "mon"', {}),
        ('business_hours_since(lead.created_at, "office") == 0.0', {}),
        ('phone_country(lead.phone) == "BR"', {"phones": ("11987654321",)}),
    ],
)
def test_a_rule_asks_what_lies_around_the_lead(
    session: Session, when: str, enquiry: dict[str, object]
) -> None:
    assert tagged(session, when, **enquiry)


def test_who_is_in_no_list_is_in_none(session: Session) -> None:
    assert not tagged(session, 'in_list(lead.email, "competitors") || in_list(lead.email, "partners")')


def test_a_person_s_past_is_counted_whatever_lead_it_belongs_to(session: Session) -> None:
    configure_in(session, rules=rule('count("form.submitted", "30 days") >= 3'))
    found = []
    for days in (40, 20, 10, 0):
        with clock.frozen(NOON - timedelta(days=days)):
            lead = enquire(session, occurred_at=clock.now()).lead
            found.append(list(lead.tags))
            lead.status = type(lead.status).CONVERTED  # the next enquiry makes another lead
            session.flush()
            enquire(session, emails=("other@client.test",), occurred_at=clock.now())
    assert found == [[], [], [], ["yes"]]


def test_calls_are_counted_by_how_they_ended(session: Session) -> None:
    configure_in(
        session, lines="  - {key: main, provider: twilio, auth_token: t, numbers: ['+551140000000']}"
    )
    with clock.frozen(NOON):
        lead = enquire(session).lead
        for result in (CallResult.MISSED, CallResult.BUSY, CallResult.VOICEMAIL, CallResult.ANSWERED):
            call(session, lead, result)
        session.flush()
        count = surroundings.around(session, lead, workspace.load(session)).count
        day = timedelta(days=1)
        events = ("call.missed", "call.answered", "call.completed", "voicemail.received")
        assert [count(event, day) for event in events] == [3, 1, 4, 1]
        assert (count("lead.created", day), count("email.received", day)) == (1, 0)


def call(session: Session, lead: Lead, result: CallResult) -> None:
    session.add(
        Call(
            source_id=source(session, "main", Channel.CALL).id,
            provider="twilio",
            group_id=result.value,
            provider_call_id=result.value,
            heard_at=clock.now(),
            facts={},
            direction="inbound",
            result=result,
            lead_id=lead.id,
            created_at=clock.now(),
        )
    )


def test_what_no_condition_asks_for_is_not_read_and_what_several_ask_for_is_read_once(
    session: Session,
) -> None:
    asking = 'count("form.submitted", "7 days") > 5 || in_list(lead.email, "competitors")'
    first = "  - {name: first, on: form.submitted, do: [add_tag: seen]}"
    twice = "\n".join([rule(asking).replace("name: r,", "name: s,"), first, rule(asking)])
    for rules, counts in ((rule('lead.score > 9 && count("form.submitted", "7 days") > 5'), 0), (twice, 1)):
        configure_in(session, lists=LISTS, rules=rules)
        session.expire_all()
        with statements(session) as found:
            enquire(session)
        assert sum(s.startswith("SELECT count(") and "FROM run" not in s for s in found) == counts
        assert sum("named_list" in s for s in found) == counts


def test_a_list_that_was_taken_away_leaves_the_rules_that_ask_for_it_without_a_match(
    session: Session,
) -> None:
    configure_in(session, lists=LISTS, rules=rule('!in_list(lead.email, "partners")'))
    configure_in(session, lists="  - {key: competitors, values: []}")
    lead = enquire(session).lead
    assert lead.tags == []
    explained = explain(session, lead.id)
    assert explained is not None
    assert explained[0].rules[0]["parts"][0]["problem"] == "there is no list 'partners' any more"
