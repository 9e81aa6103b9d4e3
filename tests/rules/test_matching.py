"""The matcher: it leaves out only what cannot match, says why, and costs what the few cost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import matching
from rules.condition import Condition
from rules.guards import guards
from rules.matching import Matcher
from rules.sight import Sight
from rules.workings import Surroundings

AROUND = Surroundings(now=datetime(2026, 11, 23, 15, tzinfo=UTC), zone=ZoneInfo("UTC"), country="BR")


@dataclass(frozen=True)
class Named:
    """As much of a rule as is matched."""

    name: str
    condition: Condition | None


def rules(*texts: str | None) -> Matcher[Named]:
    return Matcher([Named(f"{n}", Condition(t, None) if t else None) for n, t in enumerate(texts)])


def sight(**lead: Any) -> Sight:
    return Sight({"lead": {"tags": [], "fields": {}, **lead}, "event": {}}, AROUND)


def evaluated(matcher: Matcher[Named], seen: Sight) -> list[int]:
    """What matches when all are evaluated one by one."""
    return [
        place
        for place, rule in enumerate(matcher.rules)
        if rule.condition is None or rule.condition.evaluate(seen)[0]
    ]


def test_only_rules_whose_guards_hold_are_candidates_in_their_order() -> None:
    many = [f'lead.source == "s{n}" && lead.score > 1' for n in range(50)]
    matcher = rules("lead.score > 3", *many, None, '"vip" in lead.tags', 'lead.source in ["s7", "x"]')
    found = matcher.candidates(sight(source="s7", score=5, tags=["vip"]))
    assert found == [0, 8, 51, 52, 53]
    assert matcher.candidates(sight(source="s7", tags=["vip"]), after=8) == [51, 52, 53]
    assert matcher.candidates(sight()) == [0, 51]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('lead.channel == "form"', ['lead.channel == "form"']),
        ('"form" == lead.channel && lead.score > 3', ['"form" == lead.channel']),
        ('(lead.a == 1 && lead.b == true) && lead.fields["the c"] == "x"', 3),
        ('lead.a == "x" || lead.a == "y"', ['lead.a == "x" || lead.a == "y"']),
        ('"vip" in lead.tags', ['"vip" in lead.tags']),
        ("lead.a == 1.5", ["lead.a == 1.5"]),
        # these are true of more than the values they name, or of values that are compared otherwise
        ('lead.a == "x" || lead.b == "y"', []),
        ('!(lead.a == "x")', []),
        ('lead.a != "x"', []),
        ('lead.a == ""', []),
        ("lead.a == null", []),
        ('lead.a in ["x", ""]', []),
        ('lead.a == "x" ? true : true', []),
        (r'lead.a == "\x41"', []),
    ],
)
def test_a_guard_is_a_part_without_which_the_condition_is_never_true(
    text: str, expected: list[str] | int
) -> None:
    found = [g.text for g in guards(Condition(text, None))]
    assert (len(found) if isinstance(expected, int) else found) == expected


def test_a_rule_that_was_left_out_says_by_which_part_and_what_it_saw() -> None:
    matcher = rules(
        'lead.channel == "form"', *(f'lead.channel == "form" && lead.source == "s{n}"' for n in range(9))
    )
    seen = matcher.seen(sight(channel="form", source="s3"))
    assert seen == {"lead.channel": "form", "lead.source": "s3"}
    part = matcher.why_not(matcher.places["5"], seen)
    assert part is not None
    assert part.as_data() == {
        "part": 'lead.source == "s4"',
        "result": False,
        "saw": {"lead.source": "s3"},
    }
    empty = matcher.why_not(5, {"lead.channel": "form"})
    assert empty is not None
    assert (empty.result, empty.problem) == (None, "source is empty")
    assert matcher.why_not(0, seen) is None


def test_what_is_kept_of_a_lead_does_not_grow_with_what_rules_ask() -> None:
    matcher = rules(*(f'lead.fields.f{n} == "x"' for n in range(1000)))
    seen = matcher.seen(sight(fields={"f7": "y", "other": "z"}))
    assert seen == {"lead.fields.f7": "y"}
    assert matcher.why_not(8, seen) is not None
    assert [(p.part, p.rules) for p in matcher.passed(seen)] == [
        ("fields that are empty", 999),
        ('lead.fields.f7 == "x"', 1),
    ]


def test_what_was_left_out_is_told_by_its_reasons_the_commonest_first() -> None:
    sites = [f'lead.channel == "form" && lead.source == "s{n}"' for n in range(20)]
    matcher = rules(*sites, *['lead.channel == "call" && lead.score > 1'] * 7)
    seen = matcher.seen(sight(channel="form", source="s3"))
    assert [(p.part, p.saw, p.rules) for p in matcher.passed(seen)] == [
        ("another value of lead.source", {"lead.source": "s3"}, 19),
        ('lead.channel == "call"', {"lead.channel": "form"}, 7),
    ]
    behind = matcher.passed(seen, after=3, last=21)
    assert [p.rules for p in behind] == [16, 2]
    assert [p.rules for p in matcher.passed(seen, most=1)] == [19]


WORDS = ("a", "b", "A", "", "é", "1", "true")
LITERALS = (
    *(f'"{w}"' for w in WORDS),
    "0",
    "1",
    "1.0",
    "2",
    "true",
    "false",
    "null",
    "1u",
    "9007199254740992.0",
)
FIELDS = ("lead.a", "lead.a", "lead.b", "lead.fields.c", 'lead.fields["c"]', "lead.tags", "lead.f.g")
ODD = (0, 1, 2, 1.0, True, False, 2**53, 2.0**53, 2**53 + 1, 2**70, float("nan"), "\ud800", b"a")


def some_condition(by: Random, depth: int = 0) -> str:
    """A condition of a few parts, about few fields and values, so that many of them meet."""
    shape = by.random()
    if depth < 3 and shape < 0.45:
        word = by.choice((" && ", " && ", " || "))
        return f"({word.join(some_condition(by, depth + 1) for _ in range(by.randint(2, 4)))})"
    if depth < 3 and shape < 0.52:
        return f"!({some_condition(by, depth + 1)})"
    field, literal = by.choice(FIELDS), by.choice(LITERALS)
    return by.choice(
        (
            f"{field} == {literal}",
            f"{field} == {literal}",
            f"{literal} == {field}",
            f"{field} != {literal}",
            f"({field} == {literal} || {by.choice(FIELDS)} == {by.choice(LITERALS)})",
            f"{field} in [{literal}, {by.choice(LITERALS)}]",
            f"{literal} in {field}",
            "has(lead.a)",
            "fold(lead.a) == 'a'",
            "lead.b / 0 == 1",
            "lead.tags[1] == 'a'",
            "true",
        )
    )


def some_value(by: Random) -> Any:
    """What a field may hold: mostly a word, sometimes nothing, or something odd."""
    return by.choice(
        (
            by.choice(WORDS),
            by.choice(WORDS),
            by.choice(ODD),
            None,
            [by.choice((*WORDS, *ODD, None)) for _ in range(by.randint(0, 3))],
            {by.choice(WORDS): by.choice(WORDS)},
        )
    )


def some_lead(by: Random) -> dict[str, Any]:
    """A lead of which a few things are known."""
    lead = {name: some_value(by) for name in ("a", "b", "tags", "f", "fields") if by.random() < 0.8}
    if by.random() < 0.7:
        lead["fields"] = {"c": some_value(by)}
    if by.random() < 0.3:
        lead["f"] = {"g": some_value(by)}
    return lead


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_the_index_never_changes_a_result(seed: int) -> None:
    by = Random(seed)
    texts = [some_condition(by) if by.random() < 0.95 else None for _ in range(by.randint(1, 40))]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(matching, "_FEW", by.choice((0, 4)))  # a handful of rules is not sorted at all
        patched.setattr(matching, "_FEW_FIELDS", by.choice((0, 40)))
        matcher = rules(*texts)
        for _ in range(10):
            compare(matcher, Sight({"lead": some_lead(by)}, AROUND), by)


def compare(matcher: Matcher[Named], seen: Sight, by: Random) -> None:
    """What matches is among the candidates; of all others it can be told why they are none."""
    candidates, count = matcher.candidates(seen), len(matcher.rules)
    assert candidates == sorted(set(candidates))
    assert set(evaluated(matcher, seen)) <= set(candidates)
    kept = json.loads(json.dumps(matcher.seen(seen), allow_nan=False))  # as the trace keeps it
    after, last = sorted((by.randrange(-1, count), by.randrange(count)))
    told = sum(p.rules for p in matcher.passed(kept, after=after, last=last, most=1000))
    assert told == last - after - sum(after < p <= last for p in candidates)
    for place in set(range(count)) - set(candidates):
        part = matcher.why_not(place, kept)
        assert part is not None
        assert part.result is not True


def test_among_ten_thousand_rules_no_more_are_evaluated_than_among_a_hundred() -> None:
    """What it costs is measured by the bench; here what it looks at."""

    def looked_at(count: int) -> tuple[int, int]:
        texts = [
            f'lead.channel == "form" && lead.source == "s{n // 10}" && lead.score > {n % 10}'
            for n in range(count)
        ]
        matcher = rules(*texts)
        seen = sight(channel="form", source="s3", score=5)
        candidates = matcher.candidates(seen)
        assert sum(matcher.rules[p].condition.evaluate(seen)[0] for p in candidates) == 5  # type: ignore[union-attr]
        passed = matcher.passed(matcher.seen(seen))
        assert [p.rules for p in passed] == [count - 10]
        return len(candidates), len(passed)

    assert looked_at(10_000) == looked_at(100) == (10, 1)
