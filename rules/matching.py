"""Finds, among many rules, those that can match at all, by what they ask certain fields to be. Pure.

Of each condition the parts are taken that must be true for it to match and only compare a field with
written words or whole numbers: its guards. Rules are sorted by them into a tree: for a field, by the
value it is to have, and within that by the next field. Looking one thing up in a tree of ten thousand
rules costs what it costs among ten. What the tree leaves out cannot match; what it finds is evaluated.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from rules.cel import Node, constant, path_of
from rules.condition import Condition, Part
from rules.sight import Sight, shown, value_at

# Up to so many rules are sooner evaluated than sorted further.
_FEW = 4
# Whole numbers up to here are the same as a fraction of the same value, in the library and here.
_EXACT = 2**53
# Longer texts are compared by evaluating: what was seen is kept in the trace.
_LONGEST = 100

Path = tuple[str, ...]
#: A value with its type, for Python takes true for 1.
Value = tuple[str, str | int | float | bool]


class Conditional(Protocol):
    """What is matched: a rule."""

    @property
    def name(self) -> str:
        """What people call it; unique."""

    @property
    def condition(self) -> Condition | None:
        """When it matches; None: always."""


R = TypeVar("R", bound=Conditional)


@dataclass(frozen=True, slots=True)
class Guard:
    """A part of a condition: the field must have one of the values, or be a list that holds one."""

    path: Path
    values: frozenset[Value]
    text: str
    holds: bool = False

    def lets(self, values: Iterable[Value] | None) -> bool:
        """Whether the part may be true of these; None: that cannot be told here."""
        return values is None or not self.values.isdisjoint(values)


@dataclass(frozen=True, slots=True)
class Passed:
    """Why rules were not looked at further: the part that was false of all of them, and what it saw."""

    part: str
    saw: Mapping[str, Any]
    rules: int

    def as_data(self) -> dict[str, Any]:
        """For the trace and for programs."""
        return {"part": self.part, "saw": dict(self.saw), "rules": self.rules}


@dataclass(slots=True)
class _Branch:
    """Rules by their places: those to be evaluated here, and those under a value of a further field."""

    here: list[int] = field(default_factory=list)
    under: dict[tuple[Path, bool], dict[Value, _Branch]] = field(default_factory=dict)


class Matcher(Generic[R]):
    """The rules of one trigger, in their order, sorted once."""

    def __init__(self, rules: Sequence[R]) -> None:
        self.rules = tuple(rules)
        self.places = {rule.name: place for place, rule in enumerate(self.rules)}
        self._guards = [guards(rule.condition) for rule in self.rules]
        self._top = _sorted([(place, found) for place, found in enumerate(self._guards)])
        #: The fields that decide, and that `seen` keeps.
        self.paths = sorted({g.path for found in self._guards for g in found})

    def candidates(self, sight: Sight, *, after: int = -1) -> list[int]:
        """The places in `rules`, in order, of all that can match; those behind `after` only.

        Every rule that matches is among them. Where a rule's steps have changed the facts, those behind it
        are to be asked for anew, with `after` its place.
        """
        found: set[int] = set()
        looked: dict[tuple[Path, bool], list[Value] | None] = {}
        branches = [self._top]
        while branches:
            branch = branches.pop()
            found.update(branch.here)
            for key, by_value in branch.under.items():
                if key not in looked:
                    looked[key] = _values(value_at(sight.facts, key[0]), key[1])
                values = looked[key]
                if values is None:
                    branches += by_value.values()
                else:
                    branches += [by_value[value] for value in values if value in by_value]
        return sorted(place for place in found if place > after)

    def seen(self, sight: Sight) -> dict[str, Any]:
        """The values that decided who is a candidate, as the trace keeps them: `why_not` needs no more."""
        return {".".join(path): _kept(value_at(sight.facts, path)) for path in self.paths}

    def why_not(self, place: int, seen: Mapping[str, Any]) -> Part | None:
        """The part that was false of a rule when this was seen; None where no guard says so."""
        guard = self._failing(place, seen)
        if guard is None:
            return None
        name = ".".join(guard.path)
        if seen.get(name) is None:
            return Part(guard.text, None, {name: None}, f"{guard.path[-1]} is empty")
        return Part(guard.text, False, {name: seen[name]})

    def passed(self, places: Iterable[int], seen: Mapping[str, Any], *, most: int = 20) -> list[Passed]:
        """Why these rules were not looked at further, the commonest reason first; at most so many reasons."""
        counts = Counter(self._failing(place, seen) for place in places)
        return [
            Passed(guard.text, {".".join(guard.path): seen.get(".".join(guard.path))}, count)
            for guard, count in counts.most_common(most)
            if guard is not None
        ]

    def _failing(self, place: int, seen: Mapping[str, Any]) -> Guard | None:
        for guard in self._guards[place]:
            if not guard.lets(_values(seen.get(".".join(guard.path)), guard.holds)):
                return guard
        return None


def guards(condition: Condition | None) -> tuple[Guard, ...]:
    """What a condition needs to be true of plain fields; in its order."""
    if condition is None:
        return ()
    parts = condition.tree.parts if condition.tree.kind == "all" else (condition.tree,)
    return tuple(_guards(condition.text, parts))


def _guards(text: str, parts: Iterable[Node]) -> Iterator[Guard]:
    for part in parts:
        if part.kind == "all":
            yield from _guards(text, part.parts)
            continue
        asked = _asked(part)
        if asked is not None:
            path, holds, values = asked
            yield Guard(path, values, text[part.start : part.end], holds)


_Asked = tuple[Path, bool, frozenset[Value]]


def _asked(node: Node) -> _Asked | None:
    """The field, whether it is a list, and the values of a part that is true of no others."""
    if node.kind == "any":
        each = [_asked(part) for part in node.parts]
        first = each[0]
        if first is None or any(a is None or a[:2] != first[:2] for a in each):
            return None
        return (*first[:2], frozenset().union(*(a[2] for a in each if a is not None)))
    if node.kind != "binary" or node.word not in ("==", "in"):
        return None
    left, right = node.parts
    if node.word == "in" and right.kind == "list":
        return _is_one_of(left, right.parts)
    if node.word == "in":
        value, path = _written(left), path_of(right)
        # Where it is no list but a group of fields, which `in` asks for a name, that cannot be told here.
        return (path, True, frozenset([value])) if value is not None and path and len(path) > 1 else None
    return _is_one_of(left, [right]) or _is_one_of(right, [left])


def _is_one_of(item: Node, wanted: Sequence[Node]) -> _Asked | None:
    path = path_of(item)
    values = [_written(node) for node in wanted]
    if path is None or len(path) < 2 or not values or None in values:
        return None
    return path, False, frozenset(v for v in values if v is not None)


def _written(node: Node) -> Value | None:
    said = constant(node)
    # A comparison with a text of no length asks whether the field is empty, which is another question.
    if said is None or said == "" or (isinstance(said, str) and len(said) > _LONGEST):
        return None
    found = _values(said, False)
    return found[0] if found else None


def _values(value: Any, holds: bool) -> list[Value] | None:
    """What a field's value can be equal to; none where it is empty, None where it cannot be told here."""
    if value is None:
        return []
    if holds:
        if not isinstance(value, list | tuple):
            return None
        each = [_values(item, False) for item in value]
        return None if any(e is None for e in each) else [v for e in each if e for v in e]
    if isinstance(value, str):
        return [("text", value)]
    if isinstance(value, bool):
        return [("flag", value)]
    if isinstance(value, int | float) and abs(value) < _EXACT:
        return [("number", value)]
    return None


def _kept(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[:_LONGEST] + "…"
    if isinstance(value, list | tuple):
        return [_kept(item) for item in value[:_LONGEST]]
    return shown(value)


def _sorted(rules: Sequence[tuple[int, Sequence[Guard]]]) -> _Branch:
    """The tree over these rules, each with its guards that are not decided yet."""
    branch = _Branch()
    if len(rules) <= _FEW:
        branch.here = [place for place, _ in rules]
        return branch
    crowd: Counter[tuple[Path, bool, Value]] = Counter(
        (g.path, g.holds, value) for _, found in rules for g in found for value in g.values
    )
    groups: dict[tuple[Path, bool], dict[Value, list[tuple[int, Sequence[Guard]]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for place, found in rules:
        if not found:
            branch.here.append(place)
            continue
        # By the field whose values it shares with the fewest others.
        chosen = min(found, key=_crowd_of(crowd))
        # Under each of several values it stands once and is sorted no further: it would multiply.
        left = [g for g in found if g is not chosen] if len(chosen.values) == 1 else []
        for value in chosen.values:
            groups[chosen.path, chosen.holds][value].append((place, left))
    branch.under = {
        key: {value: _sorted(group) for value, group in by_value.items()} for key, by_value in groups.items()
    }
    return branch


def _crowd_of(crowd: Mapping[tuple[Path, bool, Value], int]) -> Callable[[Guard], int]:
    return lambda guard: sum(crowd[guard.path, guard.holds, value] for value in guard.values)
