"""One set of rules in a backtest: the leads that it has seen, and those that wait for somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rules.assignment.wish import Wish
from rules.outlook import Outlook, look_ahead
from rules.schema import Rule
from rules.sight import Sight
from rules.staff import Staff
from rules.workings import Surroundings

#: So often it is looked for whether somebody can have what waits: hours begin and end at such times.
_LOOK = timedelta(minutes=30)


class Side:
    """The rules, who could be given leads, and what has become of each lead so far."""

    def __init__(self, rules: Mapping[str, Sequence[Rule]], staff: Staff) -> None:
        self.rules = rules
        self.passed: list[Outlook] = []
        self._staff = staff
        self._waiting: list[Outlook] = []

    def arrive(
        self,
        facts: dict[str, Any],
        around: Surroundings,
        triggers: Sequence[str],
        *,
        person_id: int,
        closed_at: datetime | None,
        looks: dict[str, Sight],
    ) -> None:
        """A lead comes, after those before it; `closed_at` is when it really was no load any more.

        `looks` are shared by all sides that the lead comes to.
        """
        self._move_to(around.now)
        view = Outlook(facts, self._staff, around, person_id, closed_at, looks=looks)
        look_ahead(self.rules, view, triggers)
        view.looks = {}
        self.passed.append(view)
        if view.owner is None and view.is_open and not self._catch(view):
            view.waited = True
            self._waiting.append(view)
        elif view.owner is not None:
            self._staff.give(view.owner, person_id, closed_at)

    def end(self, moment: datetime) -> None:
        """No more leads come until this moment; what waits is given as far as somebody can have it."""
        self._move_to(moment)

    def _move_to(self, moment: datetime) -> None:
        while self._waiting and self._staff.now + _LOOK < moment:
            self._staff.move_to(self._staff.now + _LOOK)
            self._sweep()
        self._staff.move_to(moment)
        self._sweep()

    def _sweep(self) -> None:
        """Gives what waits, oldest first, as the scheduler does."""
        still, hopeless = [], set()
        now = self._staff.now
        for view in self._waiting:
            if view.closed_at is not None and view.closed_at <= now:
                continue
            # Whoever wants the same as one for whom there was nobody need not be asked for.
            same = (str(view.wish), view.facts["team"], str(view.lead) if _looks_at(view.wish) else "")
            if same in hopeless or not self._catch(view):
                hopeless.add(same)
                still.append(view)
            elif view.owner is not None:
                self._staff.give(view.owner, view.person_id, view.closed_at)
        self._waiting = still

    def _catch(self, view: Outlook) -> bool:
        """As `rules.assignment.ladder.catch`: what a rule wanted, the source's team, the catch-all."""
        wishes = [view.wish] if view.wish is not None else []
        if (team := view.facts["team"]) is not None:
            wishes.append(Wish(team=team))
        if (to := view.facts["catch_all"]) is not None:
            wishes.append(Wish(user=to) if "@" in to else Wish(team=to))
        wanted = view.wish
        for wish in wishes:
            if view.assign(wish):
                view.happened.clear()
                view.facts["event"] = {"before": None}
                view.around = replace(view.around, now=self._staff.now)
                look_ahead(self.rules, view, ["lead.assigned"])
                view.looks.clear()
                return True
        view.wish = wanted
        return False


def _looks_at(wish: Wish | None) -> bool:
    """Whether who can have it depends on the lead."""
    return wish is not None and any(one.sticky or one.territory is not None for one in wish.chain())
