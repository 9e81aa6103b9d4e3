"""The usual rhythm of a source, and how unlikely it is that it is quiet by chance. Pure.

Deliveries are counted by the hour. What is usual in an hour of the week is the mean of the same hours of the
last weeks, drawn a little to what is usual at that time of day on working days or weekends, since the same
hour has few examples. If deliveries come by themselves (Poisson), nothing comes while `expected` are
usual with probability e^-expected; where days vary more than that, by `spread`, silence says less by as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

WINDOW = timedelta(weeks=6)
#: Of less than this nothing is said.
_LEAST_WINDOW = timedelta(weeks=2)
_LEAST_DELIVERIES = 40
#: So many deliveries have to be missing: chance does that once in twenty thousand times.
_MISSING = 10.0
_LEAST_QUIET = timedelta(hours=1)
_HOUR = timedelta(hours=1)
#: The busiest days say least about how even the others are: so large a share of them is left out.
_LEFT_OUT = 0.1


@dataclass(frozen=True, slots=True)
class Silence:
    """A source that is quiet against its rhythm, in numbers."""

    since: datetime
    hours: float
    expected: float
    spread: float
    a_week: float
    deliveries: int
    weeks: float

    @property
    def chance(self) -> float:
        """How probable it is that this is nothing."""
        return math.exp(-self.expected / self.spread)

    def numbers(self) -> dict[str, float | int | str]:
        """As an alert keeps them."""
        return {
            "quiet_since": self.since.isoformat(),
            "quiet_hours": round(self.hours, 1),
            "expected": round(self.expected, 1),
            "spread": round(self.spread, 2),
            "chance": float(f"{self.chance:.1g}"),
            "usual_a_week": round(self.a_week, 1),
            "deliveries": self.deliveries,
            "weeks": round(self.weeks, 1),
        }


def silence(counted: Mapping[datetime, int], last: datetime, now: datetime, zone: ZoneInfo) -> Silence | None:
    """Whether it is quieter than chance explains; None where it is not, or too little is known.

    `counted` are deliveries by the hour they came in (UTC), `last` is when the last one came.
    """
    end = last.replace(minute=0, second=0, microsecond=0)
    recent = {hour: n for hour, n in counted.items() if end - WINDOW <= hour < end and n > 0}
    total = sum(recent.values())
    if now - last < _LEAST_QUIET or total < _LEAST_DELIVERIES:
        return None
    begin = min(recent)
    if end - begin < _LEAST_WINDOW:
        return None
    usual = _Usual(recent, begin, end, zone)
    expected = usual.between(last, now)
    found = Silence(
        since=last,
        hours=(now - last) / _HOUR,
        expected=expected,
        spread=usual.spread(),
        a_week=total / ((end - begin) / timedelta(weeks=1)),
        deliveries=total,
        weeks=(end - begin) / timedelta(weeks=1),
    )
    return found if expected / found.spread >= _MISSING else None


class _Usual:
    """What is usual in each hour of the week, where the source is."""

    def __init__(
        self, counted: Mapping[datetime, int], begin: datetime, end: datetime, zone: ZoneInfo
    ) -> None:
        self._counted, self._begin, self._end, self._zone = counted, begin, end, zone
        times: dict[tuple[int, int], list[int]] = {}
        alike: dict[tuple[bool, int], list[int]] = {}
        for hour in self._hours():
            slot = self._slot(hour)
            times.setdefault(slot, []).append(counted.get(hour, 0))
            alike.setdefault((slot[0] > 4, slot[1]), []).append(counted.get(hour, 0))
        self._means = {kind: sum(seen) / len(seen) for kind, seen in alike.items()}
        self._of_slot = {slot: (sum(seen), len(seen)) for slot, seen in times.items()}

    def rate(self, hour: datetime) -> float:
        """Deliveries that are usual in this hour."""
        day, time = self._slot(hour)
        came, seen = self._of_slot.get((day, time), (0, 0))
        return (came + self._means.get((day > 4, time), 0.0)) / (seen + 1)

    def between(self, since: datetime, until: datetime) -> float:
        """Deliveries that are usual between two moments."""
        total, hour = 0.0, since.replace(minute=0, second=0, microsecond=0)
        while hour < until:
            share = (min(hour + _HOUR, until) - max(hour, since)) / _HOUR
            total += self.rate(hour) * share
            hour += _HOUR
        return total

    def spread(self) -> float:
        """How much more days vary than if deliveries came by themselves; at least 1."""
        came: dict[object, float] = {}
        usual: dict[object, float] = {}
        for hour in self._hours():
            day = hour.astimezone(self._zone).date()
            came[day] = came.get(day, 0) + self._counted.get(hour, 0)
            usual[day] = usual.get(day, 0) + self.rate(hour)
        terms = sorted((came[day] - usual[day]) ** 2 / usual[day] for day in came if usual[day] > 0.5)
        kept = terms[: max(1, round(len(terms) * (1 - _LEFT_OUT)))]
        return max(1.0, sum(kept) / len(kept)) if kept else 1.0

    def _hours(self) -> list[datetime]:
        return [self._begin + n * _HOUR for n in range(int((self._end - self._begin) / _HOUR))]

    def _slot(self, hour: datetime) -> tuple[int, int]:
        there = hour.astimezone(self._zone)
        return there.weekday(), there.hour
