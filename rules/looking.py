"""Which rules are looked at, in their order: all of a few, of many those that can match.

What is passed over is told together, with what it was judged by, so that it can be explained later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rules.condition import Part
from rules.matching import Matcher
from rules.schema import Rule
from rules.sight import Sight

#: So many rules of one trigger are all evaluated: that costs little, and tells each part of each.
FEW = 50


class Looked:
    """One pass over the rules of a trigger."""

    def __init__(self, matcher: Matcher[Rule], *, everything: bool) -> None:
        self.entries: list[dict[str, Any]] = []
        #: What decided who is passed over, from a place on: it changes when a rule's steps change the lead.
        self.seen: list[dict[str, Any]] = []
        self._matcher = matcher
        self._everything = everything
        self._last = -1
        self._ahead: list[int] | None = None
        self._looked_at: set[int] = set()

    def next(self, sight: Sight, *, anew: bool = False) -> int | None:
        """The place of the next rule to look at; None after the last. `anew`: the facts have changed."""
        if self._ahead is None or anew:
            self._ahead = self._candidates(sight)
        if not self._ahead:
            return None
        self._last = self._ahead.pop(0)
        self._looked_at.add(self._last)
        return self._last

    def passed(self) -> list[dict[str, Any]]:
        """Why the others were passed over, the commonest reason first."""
        if self._everything:
            return []
        found = []
        for place, snapshot in enumerate(self.seen):
            after = snapshot["after"]
            last = (
                self.seen[place + 1]["after"] if place + 1 < len(self.seen) else len(self._matcher.rules) - 1
            )
            others = last - after - sum(after < p <= last for p in self._looked_at)
            told = [p.as_data() for p in self._matcher.passed(snapshot["values"], after=after, last=last)]
            found += told
            if left := others - sum(p["rules"] for p in told):
                found.append({"part": "for rarer reasons", "saw": {}, "rules": left})
        return found

    def _candidates(self, sight: Sight) -> list[int]:
        if self._everything:
            return list(range(self._last + 1, len(self._matcher.rules)))
        self.seen.append({"after": self._last, "values": self._matcher.seen(sight)})
        return self._matcher.candidates(sight, after=self._last)


def why_not(matcher: Matcher[Rule], rule: Rule, seen: Sequence[Mapping[str, Any]]) -> Part | None:
    """Why a rule was passed over when this was seen; None where that cannot be told."""
    place = matcher.places.get(rule.name)
    if place is None:
        return None
    snapshot = next((s for s in reversed(seen) if s["after"] < place), None)
    return matcher.why_not(place, snapshot["values"]) if snapshot is not None else None
