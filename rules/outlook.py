"""What rules would do with a lead, on plain values: the backtest's way through them.

Conditions and branches are the real ones. Immediate steps say themselves what they would change; what
lies after a wait, and what is sent, is beyond the outlook.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.errors import Invalid
from models.lead import OPEN
from rules.sight import Sight
from rules.workings import Surroundings

if TYPE_CHECKING:
    from rules.assignment.wish import Wish
    from rules.staff import Staff

#: As in the engine: a rule that is started by a step, whose rule was started by a step …
DEEPEST = 5
_OPEN = tuple(status.value for status in OPEN)


@dataclass
class Outlook:
    """A lead as it would become. `facts` are changed as steps would change the lead."""

    facts: dict[str, Any]
    staff: Staff
    around: Surroundings
    person_id: int
    closed_at: datetime | None
    # Whom a rule wanted, as long as nobody of them can have it.
    wish: Wish | None = None
    waited: bool = False
    matched: list[str] = field(default_factory=list)
    activities: int = 0
    happened: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    #: Looks by what they saw: making one costs most of all. Two sets of rules that begin with the same facts
    #: and surroundings share them as long as they do the same.
    looks: dict[str, Sight] = field(default_factory=dict)

    @property
    def lead(self) -> dict[str, Any]:
        """The lead's own facts."""
        found: dict[str, Any] = self.facts["lead"]
        return found

    @property
    def owner(self) -> str | None:
        """Who would have it."""
        found: str | None = self.lead["owner"]
        return found

    @property
    def is_open(self) -> bool:
        """Whether it still needs somebody."""
        return self.lead["status"] in _OPEN

    def sight(self, more: Mapping[str, Any] | None = None) -> Sight:
        """What a condition sees of it, with what else there is to see in its place."""
        event = self.facts.get("event", {})
        key = repr((self.around.now, self.lead, event, more))
        if key not in self.looks:
            changes = event.get("changes") or {}
            around = replace(self.around, changes=changes) if changes else self.around
            self.looks[key] = Sight({**self.facts, **(more or {})}, around)
        return self.looks[key]

    def assign(self, wish: Wish) -> bool:
        """Gives it to whoever of the wish can have it now; says whether there is anybody."""
        email = self.staff.choose(wish, self.person_id, self.facts)
        before = self.lead["owner"]
        if email is None:
            self.wish = wish
        elif email != before:
            self.lead["owner"], self.wish = email, None
            self.happened.append(("lead.assigned", {"before": before}))
        return email is not None

    def change(self, field_: str, value: Any) -> None:
        """Sets one of the lead's own fields, or a custom one."""
        own = field_ in self.lead
        before = self.lead[field_] if own else self.lead["fields"].get(field_)
        if before == value:
            return
        if own:
            self.lead[field_] = value
        else:
            self.lead["fields"] = {**self.lead["fields"], field_: value}
        self.happened.append(("lead.updated", {"changes": {field_: before}}))

    def tag(self, tag: str) -> None:
        """Puts a tag on."""
        if tag not in self.lead["tags"]:
            self.lead["tags"] = [*self.lead["tags"], tag]
            self.happened.append(("tag.added", {"tag": tag}))


def look_ahead(rules: Mapping[str, Sequence[Any]], outlook: Outlook, triggers: Sequence[str]) -> None:
    """Takes the lead through the rules for these triggers, and for what their steps make happen."""
    first = outlook.facts.get("event", {})
    waiting = deque((trigger, first, 0) for trigger in triggers)
    while waiting:
        trigger, event, depth = waiting.popleft()
        outlook.facts["event"] = event
        seen = None  # made once for all rules that see the same
        for rule in rules.get(trigger, ()):
            if rule.condition is not None:
                seen = seen or outlook.sight()
                if not rule.condition.matches(seen):
                    continue
            outlook.matched.append(rule.name)
            if depth < DEEPEST:
                _list(rule.steps, outlook, {})
                waiting.extend((name, data, depth + 1) for name, data in outlook.happened)
                seen = None
            outlook.happened.clear()


def _list(steps: Sequence[Any], outlook: Outlook, around: Mapping[str, Any]) -> bool:
    """Whether the run would go on after these steps."""
    return all(_step(planned, outlook, around) for planned in steps)


def _step(planned: Any, outlook: Outlook, around: Mapping[str, Any]) -> bool:
    with contextlib.suppress(Invalid):  # a step that fails; the run goes on with the next one
        return _foreseen(planned, outlook, around)
    return True


def _foreseen(planned: Any, outlook: Outlook, around: Mapping[str, Any]) -> bool:
    facts = {**outlook.facts, **around}
    if planned.kind == "branch":
        name = "then" if planned.step.is_true(planned.settings, outlook.sight(around)) else "else"
        return _list(planned.lists[name], outlook, around)
    if planned.kind == "for_each":
        items = planned.step.items(planned.settings, facts)
        inside = planned.lists["do"]
        return all(_list(inside, outlook, {**around, planned.settings.as_: item}) for item in items)
    if planned.kind in ("wait", "stop"):
        return False
    planned.step.foresee(planned.settings, outlook, facts)
    return True
