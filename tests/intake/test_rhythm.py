"""Silence is told from a quiet hour: against the usual rhythm of the week, and not for those who hardly speak."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from intake.rhythm import Silence, silence

ZONE = ZoneInfo("America/Sao_Paulo")
MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # midnight in São Paulo
HOUR = timedelta(hours=1)


def weeks(a_day: float, *, number: int = 6, seed: int = 1, spoilt: float = 0.0) -> Counter[datetime]:
    """Deliveries on working days from 9 to 18, as chance brings them; `spoilt` of the days vary widely."""
    chance, counted = random.Random(seed), Counter[datetime]()
    for day in range(-7 * number, 0):
        begin = MONDAY + timedelta(days=day)
        if begin.astimezone(ZONE).weekday() > 4:
            continue
        factor = chance.choice((0.2, 2.5)) if chance.random() < spoilt else 1.0
        for _ in range(round(a_day * 3)):
            if chance.random() < factor / 3:
                counted[begin + HOUR * (9 + chance.randrange(9))] += 1
    return counted


def heard(counted: Counter[datetime], hours: float, last: datetime | None = None) -> Silence | None:
    """What is said so many hours after Monday's beginning, where nothing came since `last`."""
    return silence(counted, last or max(counted) + HOUR / 2, MONDAY + hours * HOUR, ZONE)


def test_a_weekend_and_a_night_are_no_silence_and_a_working_day_is() -> None:
    counted = weeks(30)
    assert heard(counted, 8.9) is None  # since Friday evening
    assert heard(counted, 10) is None
    found = heard(counted, 18)
    assert found is not None
    assert 25 < found.expected < 35
    assert found.chance < 1e-4
    assert found.numbers()["usual_a_week"] > 130


def test_a_busy_source_is_missed_within_hours_and_a_slow_one_within_days() -> None:
    def first(a_day: float) -> float:
        counted = weeks(a_day)
        return next(h / 2 for h in range(400) if heard(counted, h / 2) is not None)

    assert 9.5 < first(90) < 12
    assert 14 < first(20) < 40
    assert first(4) > 48


def test_too_little_traffic_or_too_short_a_time_says_nothing() -> None:
    assert heard(weeks(1), 24 * 30) is None
    assert heard(weeks(40, number=1), 24 * 3) is None
    assert silence({}, MONDAY, MONDAY + 90 * HOUR, ZONE) is None


def test_where_days_vary_by_themselves_silence_says_less() -> None:
    even, uneven = heard(weeks(30), 18), heard(weeks(30, spoilt=1), 18)
    assert even is not None
    assert even.spread < 1.5
    assert uneven is None or uneven.spread > 3


def test_an_earlier_breakdown_does_not_make_it_deaf() -> None:
    counted = weeks(30)
    gone = (MONDAY - timedelta(days=13)).date()
    for hour in [h for h in counted if h.astimezone(ZONE).date() == gone]:
        del counted[hour]
    found = heard(counted, 18)
    assert found is not None
    assert found.spread < 1.5


def test_false_alarms_are_rare() -> None:
    alarms = 0
    for seed in range(40):
        counted = weeks(25, number=7, seed=seed)
        hours = sorted(h for h in counted if h >= MONDAY - timedelta(days=7))
        for before, after in pairwise(hours):
            seen = Counter({h: n for h, n in counted.items() if h <= before})
            alarms += silence(seen, before + HOUR / 2, after, ZONE) is not None
    assert alarms == 0
