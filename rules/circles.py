"""Rules that start each other in a circle which nothing in them ends: said when they are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rules.other_rule import OtherRuleSettings
from rules.schema import Rule
from rules.steps.start_rule import StartRule


def circles(rules: Sequence[Rule]) -> Iterator[tuple[str, int, str]]:
    """Each circle once: the name of its first rule, the place of the step there, and the way round in words.

    A rule with a `when`, a `once` or a `stop_when` may end one, and a step inside another one may not be
    come to: such circles are stopped when they run.
    """
    starts = {rule.name: dict(_started(rule)) for rule in rules if _always_runs(rule)}
    told: set[frozenset[str]] = set()
    for rule in rules:
        way = _way_back(rule.name, starts)
        if way and frozenset(way) not in told:
            told.add(frozenset(way))
            yield rule.name, starts[rule.name][way[1]], " → ".join(way)


def _always_runs(rule: Rule) -> bool:
    return rule.active and rule.condition is None and rule.once is None and rule.stop_when is None


def _started(rule: Rule) -> Iterator[tuple[str, int]]:
    for place, step in enumerate(rule.steps):
        if step.kind == "stop":
            return
        if isinstance(step.step, StartRule) and isinstance(step.settings, OtherRuleSettings):
            yield step.settings.rule, place


def _way_back(name: str, starts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The shortest way from a rule to itself; empty where there is none."""
    ways = [[name]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for following in starts.get(way[-1], ()):
            if following == name:
                return [*way, name]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
