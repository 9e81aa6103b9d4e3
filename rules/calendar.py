"""Business time: durations that only count inside working hours, across holidays and clock changes.

Opening and closing times are local; what lies between them is measured in real elapsed time, so that
a day on which the clock changes is an hour longer or shorter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import holidays as public_holidays
from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.errors import Invalid
from crm.workspace import known_zone
from rules.duration import Duration

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RANGE = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
# A calendar that opens less often than this is a mistake, and must not keep a worker busy for ever.
_FURTHEST = 370

Hours = tuple[tuple[int, int], ...]  # minutes after midnight: opening and closing


class CalendarSettings(BaseModel):
    """A calendar of the workspace file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Short name")
    name: str = Field("", description="What people call it")
    timezone: str | None = Field(None, description="IANA name; the workspace's where it is left out")
    hours: dict[str, str] = Field(description='Days and hours: {mon-fri: "09:00-12:00, 13:00-18:00"}')
    holidays: str | None = Field(None, description="Country, with its subdivision: BR, BR-SP, DE-BY")
    closed: list[date] = Field(default_factory=list, description="Further days without work")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else known_zone(value)

    @field_validator("hours")
    @classmethod
    def _readable_hours(cls, value: dict[str, str]) -> dict[str, str]:
        if not any(_week(value)):
            raise ValueError("a calendar needs at least one opening")
        return value

    @field_validator("holidays")
    @classmethod
    def _known_holidays(cls, value: str | None) -> str | None:
        if value is not None:
            _holidays(value, 2026)
        return value


class BusinessCalendar:
    """A calendar, ready to count with."""

    def __init__(self, settings: CalendarSettings, zone: ZoneInfo) -> None:
        self.zone = ZoneInfo(settings.timezone) if settings.timezone else zone
        self._hours = _week(settings.hours)
        self._holidays = settings.holidays
        self._closed = frozenset(settings.closed)

    @classmethod
    def of(cls, settings: Mapping[str, Any], zone: ZoneInfo) -> BusinessCalendar:
        """From the stored settings."""
        return cls(CalendarSettings.model_validate(settings), zone)

    def is_open(self, at: datetime) -> bool:
        """Whether it is working time."""
        return any(start <= at < end for start, end in self._openings(at) if start <= at)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time that lies between two moments; none where the second is the earlier one.

        Of more than a year only the first year counts.
        """
        passed = timedelta()
        for opens, closes in self._openings(start):
            if end <= max(opens, start):
                break
            passed += min(closes, end) - max(opens, start)
        return passed

    def after(self, start: datetime, duration: Duration) -> datetime:
        """The moment that lies `duration` after `start`, in UTC.

        A start outside working hours counts from the next opening.
        """
        if not duration.business:
            return start + duration.length
        if duration.days is not None:
            return self._after_days(start, duration.days)
        left = duration.length
        for opens, closes in self._openings(start):
            begin = max(opens, start)
            if begin + left <= closes:
                return begin + left
            left -= closes - begin
        raise Invalid(f"the calendar does not open often enough for {duration.length}")

    def _after_days(self, start: datetime, days: int) -> datetime:
        """The same time of day so many working days later; a start outside hours counts from the opening."""
        begin = next((max(opens, start) for opens, _ in self._openings(start)), start).astimezone(self.zone)
        day, left = begin.date(), days
        while left:
            day += timedelta(days=1)
            if (day - begin.date()).days > _FURTHEST * 3:
                raise Invalid(f"the calendar does not open often enough for {days} days")
            left -= bool(self._of_day(day))
        wanted = datetime.combine(day, begin.timetz().replace(tzinfo=None), self.zone).astimezone(UTC)
        return next(
            min(max(opens, wanted), closes)
            for opens, closes in self._openings(wanted - timedelta(hours=12))
            if closes >= wanted
        )

    def _openings(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The openings that end after `start`, in order, in UTC."""
        day = start.astimezone(self.zone).date() - timedelta(days=1)
        for _ in range(_FURTHEST):
            for opens, closes in self._of_day(day):
                first, last = self._moment(day, opens), self._moment(day, closes)
                if last > start:
                    yield first, last
            day += timedelta(days=1)

    def _of_day(self, day: date) -> Hours:
        if day in self._closed or (self._holidays and day in _holidays(self._holidays, day.year)):
            return ()
        return self._hours[day.weekday()]

    def _moment(self, day: date, minutes: int) -> datetime:
        days, minutes = divmod(minutes, 24 * 60)
        local = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60), self.zone)
        return local.astimezone(UTC)


def _week(hours: Mapping[str, str]) -> tuple[Hours, ...]:
    week: list[Hours] = [()] * 7
    for days, text in hours.items():
        for day in _days(days):
            week[day] = _day(text)
    return tuple(week)


def _days(text: str) -> list[int]:
    found = []
    for part in text.lower().split(","):
        first, _, last = part.strip().partition("-")
        if first[:3] not in _DAYS or (last and last[:3] not in _DAYS):
            raise ValueError(f"'{text}' names no days; write, for example, mon-fri or sat")
        start, end = _DAYS.index(first[:3]), _DAYS.index((last or first)[:3])
        found += [(start + n) % 7 for n in range((end - start) % 7 + 1)]
    return found


def _day(text: str) -> Hours:
    ranges = []
    for part in text.split(","):
        if not part.strip() or part.strip().lower() == "closed":
            continue
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"'{part.strip()}' are no hours; write, for example, 09:00-18:00")
        h1, m1, h2, m2 = map(int, match.groups())
        opens, closes = h1 * 60 + m1, h2 * 60 + m2
        if not (m1 < 60 and m2 < 60 and opens < closes <= 24 * 60):
            raise ValueError(f"'{part.strip()}' does not run from an earlier to a later time of one day")
        ranges.append((opens, closes))
    ranges.sort()
    if any(a[1] > b[0] for a, b in pairwise(ranges)):
        raise ValueError(f"the hours '{text}' overlap")
    return tuple(ranges)


@lru_cache(maxsize=200)
def _holidays(place: str, year: int) -> frozenset[date]:
    country, _, subdivision = place.partition("-")
    try:
        return frozenset(public_holidays.country_holidays(country, subdiv=subdivision or None, years=year))
    except NotImplementedError:
        raise ValueError(f"no public holidays are known for '{place}'") from None
