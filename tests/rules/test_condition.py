"""Conditions: what they match, what they saw, and what is refused before they run."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.errors import Invalid
from rules.condition import Condition
from rules.sight import Sight
from rules.vocabulary import TRIGGERS
from rules.workings import Surroundings

AROUND = Surroundings(now=datetime(2026, 11, 23, 15, tzinfo=UTC), zone=ZoneInfo("UTC"), country="BR")
VARIABLES = TRIGGERS["lead.created"].variables


def evaluate(text: str, lead: dict[str, Any]) -> tuple[bool, list[Any]]:
    lead = {"fields": {}, "tags": [], "name": "", **lead}
    return Condition(text, VARIABLES).evaluate(
        Sight({"lead": lead, "event": {}, "workspace": {"country": "BR"}}, AROUND)
    )


@pytest.mark.parametrize(
    ("text", "lead", "matches"),
    [
        ('lead.channel == "form"', {"channel": "form"}, True),
        ('lead.channel == "form"', {"channel": "email"}, False),
        ("lead.fields.employees >= 200", {"fields": {"employees": 200}}, True),
        ("lead.fields.employees >= 200", {"fields": {"employees": 199.5}}, False),
        # what is empty or of another type never matches, and is no error
        ("lead.fields.employees >= 200", {}, False),
        ("lead.fields.employees >= 200", {"fields": {"employees": None}}, False),
        ("lead.fields.employees >= 200", {"fields": {"employees": "many"}}, False),
        ("!(lead.fields.employees >= 200)", {}, False),
        ("lead.score / lead.number == 1", {"score": 1, "number": 0}, False),
        ("lead.fields.employees != 200", {}, False),
        ("lead.fields.employees != 200", {"fields": {"employees": None}}, False),
        ("lead.owner != 'ana@acme.test'", {"owner": None}, False),
        ("lead.tags[7] == 'vip'", {"tags": ["vip"]}, False),
        # whether something is empty can always be told, however it is empty and however it is asked
        ("lead.owner == null", {"owner": None}, True),
        ("lead.company == null && !has(lead.company)", {"company": ""}, True),
        ('lead.fields.size == "" && null == lead.fields.size', {}, True),
        ("has(lead.fields.a.b)", {}, False),
        ('lead.fields["the size"] == null', {}, True),
        ('lead.fields["the size"] != ""', {"fields": {"the size": 0}}, True),
        ("lead.tags.filter(t, t != '').size() == 1", {"tags": ["", "vip"]}, True),
        # a whole number goes together with a fraction
        ("lead.score * 1.5 > 7.0 && 0.5 + lead.score / 2.0 == 3.0", {"score": 5}, True),
        ("lead.fields.price * 1.5 == 3.0", {"fields": {"price": 2}}, True),
        ("lead.score == 5.0", {"score": 5}, True),
        # but the other side of an 'or' still counts, as in CEL
        ("lead.fields.employees >= 200 || lead.score > 5", {"score": 6}, True),
        ("lead.score > 5 || lead.fields.employees >= 200", {"score": 6}, True),
        ("lead.fields.employees >= 200 && lead.score > 5", {"score": 6}, False),
        ("!has(lead.fields.employees)", {}, True),
        ('"vip" in lead.tags', {"tags": ["vip"]}, True),
        ('lead.tags.exists(t, t.startsWith("v"))', {"tags": ["vip"]}, True),
        ('lead.name.contains("ç") ? true : false', {"name": "João Conceição"}, True),
        ('lead.name.matches("^J.*")', {"name": "João"}, True),
        ('workspace.country == "BR" && (lead.score > 1 || lead.score < 0)', {"score": 2}, True),
    ],
)
def test_a_condition_matches(text: str, lead: dict[str, Any], matches: bool) -> None:
    assert evaluate(text, lead)[0] is matches


def test_each_part_says_what_it_saw() -> None:
    matched, parts = evaluate(
        'lead.channel == "form" && lead.fields.employees >= 200',
        {"channel": "form", "fields": {"employees": 12}},
    )
    assert not matched
    assert [p.as_data() for p in parts] == [
        {"part": 'lead.channel == "form"', "result": True, "saw": {"lead.channel": "form"}},
        {"part": "lead.fields.employees >= 200", "result": False, "saw": {"lead.fields.employees": 12}},
    ]


def test_a_part_that_could_not_be_told_says_why() -> None:
    _, parts = evaluate("lead.fields.employees >= 200", {})
    assert parts[0].result is None
    assert "employees is empty" in (parts[0].problem or "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("led.name == 'x'", "at character 1: there is no 'led'; did you mean 'lead'?"),
        ("lead.stauts == 'new'", "'lead' has no 'stauts'; did you mean 'status'?"),
        ("lead.channel == 'form' && lead.nam == 'x'", "at character 27: 'lead' has no 'nam'"),
        ("lead.name == 3", "compares text with number"),
        ("lead.score > '3'", "compares number with text"),
        ("lead.name ==", "at character 13: the end where a value was expected"),
        ("lead.name == 'x' extra", "'extra' where the end was expected"),
        ("lead.name == 'x", "does not belong here"),
        # Would never end if a run of spaces or a remark were tried in other pieces.
        ("lead.score == 1 " + " " * 900 + "§", "'§' does not belong here"),
        ("lead.score == 1 " + "/" * 900 + "\n§", "'§' does not belong here"),
        ("lead.name = 'x'", "'=' does not belong here"),
        ("lenght(lead.name) > 3", "there is no function 'lenght'"),
        ("lead.name.size.x > 1", "has no parts"),
        ("call.result == 'missed'", "there is no 'call'"),
        ("(" * 100 + "true" + ")" * 100, "nested deeper"),
        ("!" * 100 + "true", "nested deeper"),
        ("true " + "|| true " * 5000, "longer than"),
        ("", "the end where a value was expected"),
        ("lead.score > 99999999999999999999999", "is not understood"),
        ("''.__class__ == 'x'", "no function|has no|there is no|does not belong"),
    ],
)
def test_a_mistake_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(
        Invalid, match=words.replace("(", r"\(").replace("?", r"\?") if "|" not in words else words
    ):
        condition = Condition(text, VARIABLES)
        # an expression that is no mistake by itself must at least never be true
        assert condition.evaluate(Sight({"lead": {}}, AROUND))[0] is False
        raise Invalid("there is no harm")


def test_a_hostile_pattern_over_a_long_text_ends_soon() -> None:
    start = time.monotonic()
    evaluate('lead.name.matches("(a+)+$")', {"name": "a" * 1_000_000 + "b"})
    assert time.monotonic() - start < 30  # a back-tracking engine would need longer than the universe has


ODD: list[Any] = [
    2**80,
    -(2**63) - 1,
    float("nan"),
    Decimal("1.5"),
    b"x",
    "\ud800",
    "a\0b",
    date(2026, 11, 23),
    datetime(2026, 11, 23, tzinfo=UTC).replace(tzinfo=None),
    {1: {None: {"x"}}},
    [None, [object()]],
    "x" * 2_000_000,
    list(range(10_000)),
]


@pytest.mark.parametrize("value", ODD, ids=lambda v: type(v).__name__)
def test_whatever_a_field_holds_other_conditions_can_still_be_evaluated(value: Any) -> None:
    matched, parts = evaluate(
        'lead.fields.odd == 1 || lead.fields.odd.contains("q") || lead.score == 1',
        {"fields": {"odd": value}, "score": 1},
    )
    assert matched
    json.dumps([part.as_data() for part in parts], allow_nan=False).encode()


def test_a_condition_looks_at_so_much_of_a_text_and_of_a_list_and_no_more() -> None:
    big = {"name": "a" * 200_000, "tags": ["x"] * 1000}
    assert evaluate("lead.name.size() == 100000 && lead.tags.size() == 500", big)[0]


def test_lists_looked_through_inside_lists_end_soon() -> None:
    many = {"fields": {"l": list(range(100_000))}}
    start = time.monotonic()
    evaluate("lead.fields.l.exists(a, lead.fields.l.exists(b, a + b < 0))", many)
    assert time.monotonic() - start < 30


def test_a_long_chain_is_evaluated() -> None:
    assert evaluate(" || ".join(["lead.score > 1"] * 124) + " || lead.score == 1", {"score": 1})[0]
