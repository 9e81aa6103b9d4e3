"""Matching: what an event costs among ten thousand rules, beside a hundred, and beside evaluating them all.

No database: the facts of a lead, the rules of one trigger, and which of them match. In processor time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from bench.report import Figure, Report, median, percentile
from rules.looking import Looked
from rules.matching import Matcher
from rules.schema import Rule, read
from rules.sight import Sight
from rules.workings import Surroundings

_AREA = "rules"
_FEW, _MANY, _COULD_MATCH = 100, 10_000, 10
_RATIO, _EVENT_MS = 2.0, 2.0
_AROUND = Surroundings(now=datetime(2026, 11, 23, 15, tzinfo=UTC), zone=ZoneInfo("UTC"), country="BR")


def measure(report: Report, *, quick: bool) -> None:
    """Adds the figures."""
    begin = time.perf_counter()
    few, many = _matcher(_FEW), _matcher(_MANY)
    made = time.perf_counter() - begin
    events = [_lead(Random(n)) for n in range(50 if quick else 300)]
    for event in events:  # the same comes out, or the figures mean nothing
        assert _indexed(few, event) == _one_by_one(few, event)
    some = events[: 3 if quick else 10]
    assert [_indexed(many, e) for e in some] == [_one_by_one(many, e) for e in some]
    # In turns, so that whatever else the machine does falls on all of them.
    times: dict[str, list[float]] = {"few": [], "many": [], "all": []}
    for number, event in enumerate(events):
        times["few"].append(_took(_indexed, few, event))
        times["many"].append(_took(_indexed, many, event))
        if number % 10 == 0:
            times["all"].append(_took(_one_by_one, many, event))
    cost = {name: median(took) for name, took in times.items()}
    ratio = cost["many"] / cost["few"]
    report.add(
        Figure(
            _AREA,
            f"an event among {_MANY:,} rules of which {_COULD_MATCH} could match, p50",
            cost["many"] * 1000,
            "ms",
            beside=f"among {_FEW} rules, ms",
            limit=cost["few"] * 1000,
            target=f"at most {_RATIO:.0f} ×",
            met=ratio <= _RATIO,
        ),
        Figure(
            _AREA,
            "the same, p99",
            percentile(times["many"], 99) * 1000,
            "ms",
            target=f"under {_EVENT_MS:.0f} ms",
            met=percentile(times["many"], 99) * 1000 < _EVENT_MS,
        ),
        Figure(
            _AREA,
            f"the same, all {_MANY:,} evaluated one by one, p50",
            cost["all"] * 1000,
            "ms",
            beside="with the index, ms",
            limit=cost["many"] * 1000,
        ),
        Figure(_AREA, f"reading and sorting {_FEW + _MANY:,} rules, once for a version", made, "s"),
    )


def _matcher(count: int) -> Matcher[Rule]:
    texts = [
        f'lead.channel == "form" && lead.source == "site-{n // _COULD_MATCH}" '
        f"&& lead.fields.employees >= {n % _COULD_MATCH * 100} && !lead.email.endsWith('.test')"
        for n in range(count)
    ]
    written = [
        {"name": f"rule {n}", "on": "form.submitted", "when": text, "do": [{"assign": {"team": "inbound"}}]}
        for n, text in enumerate(texts)
    ]
    rules, mistakes = read(written)
    assert not mistakes
    return Matcher(rules)


def _lead(by: Random) -> dict[str, Any]:
    return {
        "id": by.randrange(10_000),
        "channel": "form",
        "source": f"site-{by.randrange(_FEW // _COULD_MATCH)}",
        "status": "new",
        "name": "João da Conceição",
        "email": "joao@conceicao.example",
        "phone": "+5511987654321",
        "message": "Gostaria de um orçamento. " * 20,
        "score": by.randrange(100),
        "tags": ["site", "br"],
        "fields": {"employees": by.randrange(1000), "city": "São Paulo"},
        "attribution": {"utm_source": "newsletter"},
        "created_at": _AROUND.now,
    }


def _indexed(matcher: Matcher[Rule], lead: dict[str, Any]) -> list[str]:
    """As the engine does it, with what the trace keeps of the rules that were passed over."""
    sight = Sight({"lead": lead, "event": {}}, _AROUND)
    looked = Looked(matcher, everything=False)
    rules = []
    while (place := looked.next(sight)) is not None:
        rules.append(matcher.rules[place])
    assert sum(passed["rules"] for passed in looked.passed()) == len(matcher.rules) - len(rules)
    return _matching(rules, sight)


def _one_by_one(matcher: Matcher[Rule], lead: dict[str, Any]) -> list[str]:
    return _matching(matcher.rules, Sight({"lead": lead, "event": {}}, _AROUND))


def _matching(rules: Sequence[Rule], sight: Sight) -> list[str]:
    return [rule.name for rule in rules if rule.condition is None or rule.condition.evaluate(sight)[0]]


def _took(
    match: Callable[[Matcher[Rule], dict[str, Any]], list[str]],
    matcher: Matcher[Rule],
    lead: dict[str, Any],
) -> float:
    # Its own processor time: what other programs take of the cores is no cost of matching.
    begin = time.thread_time()
    match(matcher, lead)
    return time.thread_time() - begin
