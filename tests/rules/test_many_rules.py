"""Among many rules only those that can match are looked at; the others are told together, and explained."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.rule import Trace
from rules import looking
from rules.explanation import explain
from rules.looking import Looked
from rules.matching import Matcher
from rules.schema import read
from rules.sight import Sight
from tests.factories import configure_in, enquire
from tests.rules.test_matching import AROUND

MANY = "".join(
    f"""
  - name: site {n}
    on: lead.created
    when: lead.channel == "form" && lead.fields.site == "s{n % 40}" && lead.score >= {n // 40}
    do: [add_tag: "t{n}"]
"""
    for n in range(120)
)
LAST = """
  - {name: first, on: lead.created, do: [set: {site: s7}]}
"""


def test_the_others_are_told_together_and_each_can_be_explained(session: Session) -> None:
    configure_in(session, rules=LAST + MANY)
    lead = enquire(session).lead
    assert lead.tags == ["t7"]  # what the first rule set counts for those after it
    trace = session.scalars(select(Trace).where(Trace.trigger == "lead.created")).one()
    assert [r["rule"] for r in trace.rules] == ["first", "site 7", "site 47", "site 87"]
    assert sum(p["rules"] for p in trace.passed) == 117
    found = explain(session, lead.id)
    assert found is not None
    assert found[0].passed == trace.passed
    (one,) = explain(session, lead.id, rule="site 8") or []
    assert one.rules[0]["matched"] is False
    assert one.rules[0]["parts"] == [
        {"part": 'lead.fields.site == "s8"', "result": False, "saw": {"lead.fields.site": "s7"}}
    ]
    (two,) = explain(session, lead.id, rule="site 47") or []
    assert two.rules[0]["parts"][-1]["part"] == "lead.score >= 1"
    assert explain(session, lead.id, rule="nobody") == []


def test_a_few_rules_are_all_told_with_each_part(session: Session) -> None:
    configure_in(session, rules=LAST + MANY.split("- name: site 40")[0].rstrip().rstrip("-"))
    lead = enquire(session).lead
    trace = session.scalars(select(Trace).where(Trace.trigger == "lead.created")).one()
    assert (len(trace.rules), trace.passed) == (41, [])
    assert lead.tags == ["t7"]


@pytest.mark.parametrize("everything", [True, False])
def test_each_rule_is_looked_at_once_and_in_order(everything: bool) -> None:
    rules, mistakes = read([{"name": f"r{n}", "on": "lead.created", "do": [{"score": 1}]} for n in range(60)])
    assert mistakes == []
    looked = Looked(Matcher(rules), everything=everything)
    sight = Sight({"lead": {}}, AROUND)
    places = []
    while (place := looked.next(sight, anew=len(places) % 7 == 0)) is not None:
        places.append(place)
    assert places == list(range(60))


FIELD = st.sampled_from(["a", "b", "c"])
VALUE = st.sampled_from(["x", "y", "z"])


@settings(max_examples=150, deadline=None)
@given(
    rules=st.lists(st.tuples(FIELD, VALUE, FIELD, VALUE), min_size=1, max_size=25),
    start=st.dictionaries(FIELD, VALUE),
)
def test_the_index_changes_no_result_even_where_rules_change_what_later_ones_see(
    rules: list[tuple[str, str, str, str]], start: dict[str, str]
) -> None:
    spec = [
        {"name": f"r{n}", "on": "lead.created", "when": f'lead.fields.{f} == "{v}"', "do": [{"set": {g: w}}]}
        for n, (f, v, g, w) in enumerate(rules)
    ]
    read_rules, mistakes = read(spec)
    assert mistakes == []
    matcher = Matcher(read_rules)
    outcomes = []
    for everything in (True, False):
        fields, ran = dict(start), []
        looked = Looked(matcher, everything=everything)
        changed = False
        while True:
            sight = Sight({"lead": {"fields": fields}}, AROUND)
            place = looked.next(sight, anew=changed)
            if place is None:
                break
            condition = read_rules[place].condition
            assert condition is not None
            changed = condition.evaluate(sight)[0]
            if changed:
                ran.append(place)
                _, _, g, w = rules[place]
                fields[g] = w
        outcomes.append((ran, fields))
    assert outcomes[0] == outcomes[1]
    assert looking.FEW >= 1
