"""What rules would do with a lead, on plain values: the backtest's way through them.

Conditions and branches are the real ones. Immediate steps say themselves what they would change; what
lies after a wait, and what is sent, is beyond the outlook.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid
from models.user import Team, TeamMember, User
from models.workspace import Territory
from rules.facts import look_up
from rules.sight import Sight
from rules.workings import Surroundings

#: As in the engine: a rule that is started by a step, whose rule was started by a step …
DEEPEST = 5


class People:
    """Who can be given leads, with turns of their own."""

    def __init__(self, session: Session) -> None:
        users = session.execute(select(User.email, User.active, User.weight, User.skills)).all()
        self.active = {row.email for row in users if row.active}
        self._weights = {row.email: row.weight for row in users}
        self._skills = {row.email: set(row.skills) for row in users}
        rows = session.execute(
            select(Team.key, User.email)
            .join(TeamMember, TeamMember.team_id == Team.id)
            .join(User, User.id == TeamMember.user_id)
            .where(Team.active, User.active)
            .order_by(Team.key, TeamMember.position)
        ).all()
        self.teams: dict[str, list[str]] = {}
        for key, email in rows:
            self.teams.setdefault(key, []).append(email)
        self._territories = {t.key: t.settings for t in session.scalars(select(Territory))}
        self._given: Counter[tuple[str, str]] = Counter()

    def named(self, email: str) -> str | None:
        """This user, where they work here."""
        return email.lower() if email.lower() in self.active else None

    def next_of(self, team: str, *, skill: str | None = None, weighted: bool = False) -> str | None:
        """Whoever of the team has had least of their share."""
        members = [m for m in self.teams.get(team, ()) if skill is None or skill in self._skills[m]]
        if weighted and any(self._weights[m] for m in members):
            members = [m for m in members if self._weights[m]]
        if not members:
            return None
        chosen = min(
            members, key=lambda m: (self._given[team, m] + 1) / (self._weights[m] if weighted else 1)
        )
        self._given[team, chosen] += 1
        return chosen

    def of_territory(self, key: str, facts: Mapping[str, Any]) -> str | None:
        """Whoever has the territory that the facts name."""
        settings = self._territories.get(key)
        if settings is None:
            return None
        said = str(look_up(facts, settings["by"]) or "").strip().casefold()
        named = {str(k).strip().casefold(): to for k, to in settings["table"].items()}
        to = named.get(said) or settings.get("default")
        if to is None:
            return None
        return self.named(to) if "@" in to else self.next_of(to)


@dataclass
class Outlook:
    """A lead as it would become. `facts` are changed as steps would change the lead."""

    facts: dict[str, Any]
    people: People
    around: Surroundings
    matched: list[str] = field(default_factory=list)
    activities: int = 0
    happened: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

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

    def sight(self, more: Mapping[str, Any] | None = None) -> Sight:
        """What a condition sees of it, with what else there is to see in its place."""
        changes = self.facts.get("event", {}).get("changes") or {}
        return Sight({**self.facts, **(more or {})}, replace(self.around, changes=changes))

    def give(self, email: str | None) -> None:
        """Gives it to somebody; to nobody where there is none."""
        before = self.lead["owner"]
        if email is not None and email != before:
            self.lead["owner"] = email
            self.happened.append(("lead.assigned", {"before": before}))

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
                if not rule.condition.evaluate(seen)[0]:
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
