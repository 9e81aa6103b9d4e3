"""Finds, among many rules, those that can match at all, by what they ask certain fields to be. Pure.

Rules are sorted by their guards into a tree: for a field, by the value it is to have, and within that by
the next field. Looking one thing up in a tree of ten thousand rules costs what it costs among ten. What
the tree leaves out cannot match; what it finds is evaluated.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from rules.condition import Condition, Part
from rules.guards import LONGEST, Guard, Path, Value, guards, values_of
from rules.sight import Sight, shown, value_at

# Up to so many rules are sooner evaluated than sorted further.
_FEW = 4
# Up to so many fields are sooner all looked at than found among those that are there.
_FEW_FIELDS = 40


class Conditional(Protocol):
    """What is matched: a rule."""

    @property
    def name(self) -> str:
        """What people call it; unique."""

    @property
    def condition(self) -> Condition | None:
        """When it matches; None: always."""


R = TypeVar("R", bound=Conditional)
_Field = tuple[Path, bool]
_Guarded = tuple[int, Sequence[Guard]]


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
    """Rules by their places: all of them, those to be evaluated here, and those that ask a further field."""

    places: list[int]
    here: list[int] = field(default_factory=list)
    asking: list[int] = field(default_factory=list)
    forks: dict[_Field, _Fork] = field(default_factory=dict)


@dataclass(slots=True)
class _Fork:
    """Rules that ask a field: all their places, by which value it is to have, and that in words."""

    places: list[int]
    by_value: dict[Value, _Branch]
    words: str


class Matcher(Generic[R]):
    """The rules of one trigger, in their order, sorted once."""

    def __init__(self, rules: Sequence[R]) -> None:
        self.rules = tuple(rules)
        self.places = {rule.name: place for place, rule in enumerate(self.rules)}
        self._guards = [guards(rule.condition) for rule in self.rules]
        self._top = _sorted(list(enumerate(self._guards)))
        #: The fields that decide, and that `seen` keeps, by their names.
        self.paths = {_name(g.path): g.path for found in self._guards for g in found}
        self._known = frozenset(self.paths.values())

    def candidates(self, sight: Sight, *, after: int = -1) -> list[int]:
        """The places in `rules`, in order, of all that can match; those behind `after` only.

        Every rule that matches is among them. Where a rule's steps have changed the facts, those behind it
        are to be asked for anew, with `after` its place.
        """
        found: set[int] = set()
        for branch, _ in self._ways(self._present(sight)):
            found.update(branch.here)
        return sorted(place for place in found if place > after)

    def seen(self, sight: Sight) -> dict[str, Any]:
        """The values that decided who is a candidate, as the trace keeps them: `why_not` needs no more.

        What is empty is left out, so that it is no more than there is to a lead, whatever rules ask.
        """
        return {_name(path): _kept(value) for path, value in self._present(sight).items()}

    def why_not(self, place: int, seen: Mapping[str, Any]) -> Part | None:
        """The part that was false of a rule when this was seen; None where no guard says so."""
        for guard in self._guards[place]:
            name = _name(guard.path)
            if guard.lets(values_of(seen.get(name), guard.holds)):
                continue
            if seen.get(name) is None:
                return Part(guard.text, None, {name: None}, f"{guard.path[-1]} is empty")
            return Part(guard.text, False, {name: seen[name]})
        return None

    def passed(
        self, seen: Mapping[str, Any], *, after: int = -1, last: int | None = None, most: int = 20
    ) -> list[Passed]:
        """Why those behind `after`, up to `last`, that are no candidates were not looked at further.

        The commonest reason first, at most so many reasons. They are counted, not gone through.
        """
        last = len(self.rules) - 1 if last is None else last
        counts: Counter[tuple[Path, str]] = Counter()
        present = {self.paths[name]: value for name, value in seen.items() if name in self.paths}
        for branch, taken in self._ways(present):
            asked = 0
            for key, those in taken.items():
                fork = branch.forks[key]
                count = _so_many(fork.places, after, last)
                asked += count
                counts[key[0], fork.words] += count - _together(those, after, last)
            counts[(), "fields that are empty"] += _so_many(branch.asking, after, last) - asked
        return [
            Passed(words, {_name(path): seen.get(_name(path))} if path else {}, count)
            for (path, words), count in counts.most_common(most)
            if count
        ]

    def _present(self, sight: Sight) -> dict[Path, Any]:
        """The fields that decide and are not empty, with what is in them."""
        few: Iterable[Path] = self._known
        if len(self._known) > _FEW_FIELDS:
            few = [path for path in _paths(sight.facts) if path in self._known]
        found = ((path, value_at(sight.facts, path)) for path in few)
        return {path: value for path, value in found if value is not None}

    def _ways(
        self, present: Mapping[Path, Any]
    ) -> Iterator[tuple[_Branch, Mapping[_Field, Sequence[_Branch]]]]:
        """Each branch that can be reached where these fields have these values, with those it leads on to.

        Of the fields that a branch asks and that are empty, of which there may be thousands, nothing is told
        where it asks more than there are.
        """
        looked: dict[_Field, list[Value] | None] = {}
        branches = [self._top]
        while branches:
            branch = branches.pop()
            taken: dict[_Field, Sequence[_Branch]] = {}
            keys: Iterable[_Field] = branch.forks
            if len(branch.forks) > _FEW_FIELDS:
                keys = [key for p in present for key in ((p, False), (p, True)) if key in branch.forks]
            for key in keys:
                fork = branch.forks[key]
                if key not in looked:
                    looked[key] = values_of(present.get(key[0]), key[1])
                values = looked[key]
                if values is None:
                    taken[key] = list(fork.by_value.values())
                else:
                    taken[key] = [fork.by_value[v] for v in dict.fromkeys(values) if v in fork.by_value]
                branches += taken[key]
            yield branch, taken


def _name(path: Path) -> str:
    """The field as a condition names it: no two have the same name."""
    return path[0] + "".join(f".{w}" if w.isidentifier() else f"[{w!r}]" for w in path[1:])


def _paths(facts: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    for word, value in facts.items():
        yield (*above, word)
        if isinstance(value, Mapping):
            yield from _paths(value, (*above, word))


def _so_many(places: Sequence[int], after: int, last: int) -> int:
    return bisect_right(places, last) - bisect_right(places, after)


def _together(branches: Sequence[_Branch], after: int, last: int) -> int:
    """How many rules there are in these; one that may have several values is in several."""
    if len(branches) == 1:
        return _so_many(branches[0].places, after, last)
    return len({p for b in branches for p in b.places if after < p <= last})


def _kept(value: Any) -> Any:
    """A value as JSON knows it, of which just the same can be told."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[:LONGEST] + "…"
    if isinstance(value, list):
        return [_kept(item) for item in value]
    return {"beyond comparison": shown(value)} if values_of(value, False) is None else value


def _sorted(rules: Sequence[_Guarded]) -> _Branch:
    """The tree over these rules, each with its guards that are not decided yet."""
    branch = _Branch([place for place, _ in rules])
    if len(rules) <= _FEW:
        branch.here = branch.places
        return branch
    crowd: Counter[tuple[Path, bool, Value]] = Counter(
        (g.path, g.holds, value) for _, found in rules for g in found for value in g.values
    )
    asking: dict[_Field, list[tuple[int, Guard, Sequence[Guard]]]] = defaultdict(list)
    for place, found in rules:
        if not found:
            branch.here.append(place)
            continue
        # By the field whose values it shares with the fewest others.
        chosen = min(found, key=_crowd_of(crowd))
        # Under each of several values it stands once and is sorted no further: it would multiply.
        left = [g for g in found if g is not chosen] if len(chosen.values) == 1 else []
        asking[chosen.path, chosen.holds].append((place, chosen, left))
        branch.asking.append(place)
    branch.forks = {key: _fork(key, those) for key, those in asking.items()}
    return branch


def _fork(key: _Field, those: Sequence[tuple[int, Guard, Sequence[Guard]]]) -> _Fork:
    groups: dict[Value, list[_Guarded]] = defaultdict(list)
    for place, guard, left in those:
        for value in guard.values:
            groups[value].append((place, left))
    texts = {guard.text for _, guard, _ in those}
    name = _name(key[0])
    words = texts.pop() if len(texts) == 1 else f"another {'item in' if key[1] else 'value of'} {name}"
    return _Fork(
        [place for place, _, _ in those], {value: _sorted(group) for value, group in groups.items()}, words
    )


def _crowd_of(crowd: Mapping[tuple[Path, bool, Value], int]) -> Callable[[Guard], int]:
    return lambda guard: sum(crowd[guard.path, guard.holds, value] for value in guard.values)
