"""Business time, across holidays and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from core.errors import Invalid
from rules.calendar import BusinessCalendar
from rules.duration import parse

OFFICE = {"mon-fri": "09:00-18:00"}
ALWAYS = {"mon-sun": "00:00-24:00"}


def calendar(zone: str, hours: dict[str, str] = OFFICE, **more: Any) -> BusinessCalendar:
    return BusinessCalendar.of({"key": "k", "hours": hours, **more}, ZoneInfo(zone))


def local(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("zone", "hours", "holidays", "start", "duration", "expected"),
    [
        # within a day, over the night, over the weekend
        ("America/Sao_Paulo", OFFICE, None, "2026-11-23 10:00", "15 business minutes", "2026-11-23 10:15"),
        ("America/Sao_Paulo", OFFICE, None, "2026-11-23 17:50", "15 business minutes", "2026-11-24 09:05"),
        ("America/Sao_Paulo", OFFICE, None, "2026-11-27 17:50", "15 business minutes", "2026-11-30 09:05"),
        ("America/Sao_Paulo", OFFICE, None, "2026-11-22 03:00", "1 business hour", "2026-11-23 10:00"),
        ("America/Sao_Paulo", OFFICE, None, "2026-11-23 17:00", "1 business hour", "2026-11-23 18:00"),
        # 20 November is a holiday in Brazil, 25 January one of the city only
        ("America/Sao_Paulo", OFFICE, "BR-SP", "2026-11-19 17:30", "1 business hour", "2026-11-23 09:30"),
        # a lunch break
        (
            "Europe/Lisbon",
            {"mon-fri": "09:00-12:00, 14:00-18:00"},
            None,
            "2026-11-23 11:30",
            "1 business hour",
            "2026-11-23 14:30",
        ),
        # São Paulo's clocks went forward at midnight of 4 November 2018, and back on 18 February 2018
        ("America/Sao_Paulo", ALWAYS, None, "2018-11-03 23:30", "2 business hours", "2018-11-04 02:30"),
        ("America/Sao_Paulo", ALWAYS, None, "2018-02-17 22:30", "2 business hours", "2018-02-17 23:30+1"),
        # Lisbon, Berlin and New York in 2026: forward in March, back in October or November
        ("Europe/Lisbon", ALWAYS, None, "2026-03-29 00:30", "1 business hour", "2026-03-29 02:30"),
        ("Europe/Berlin", ALWAYS, None, "2026-03-29 01:30", "1 business hour", "2026-03-29 03:30"),
        ("Europe/Berlin", ALWAYS, None, "2026-10-25 01:30", "3 business hours", "2026-10-25 03:30"),
        ("America/New_York", ALWAYS, None, "2026-03-08 01:30", "1 business hour", "2026-03-08 03:30"),
        ("America/New_York", OFFICE, None, "2026-10-30 17:30", "1 business hour", "2026-11-02 09:30"),
        # whole working days
        ("Europe/Berlin", OFFICE, "DE-BY", "2026-12-23 15:00", "1 business day", "2026-12-24 15:00"),
        ("Europe/Berlin", OFFICE, "DE-BY", "2026-12-24 15:00", "1 business day", "2026-12-28 15:00"),
        ("Europe/Berlin", OFFICE, None, "2026-11-21 12:00", "1 business day", "2026-11-24 09:00"),
        # plain durations do not care
        ("Europe/Berlin", OFFICE, None, "2026-11-21 12:00", "2 hours", "2026-11-21 14:00"),
    ],
)
def test_a_duration_counts_only_inside_working_hours(
    zone: str, hours: dict[str, str], holidays: str | None, start: str, duration: str, expected: str
) -> None:
    fold = expected.endswith("+1")
    wanted = local(zone, expected.removesuffix("+1")).replace(fold=int(fold))
    found = calendar(zone, hours, holidays=holidays).after(
        local(zone, start).astimezone(UTC), parse(duration)
    )
    assert found == wanted.astimezone(UTC)
    assert found.tzinfo is UTC


def test_a_calendar_knows_when_it_is_open() -> None:
    office = calendar("America/Sao_Paulo", closed=["2026-11-24"])
    assert office.is_open(local("America/Sao_Paulo", "2026-11-23 09:00"))
    assert not office.is_open(local("America/Sao_Paulo", "2026-11-23 18:00"))
    assert not office.is_open(local("America/Sao_Paulo", "2026-11-24 10:00"))


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ({}, "at least one opening"),
        ({"mon": "closed"}, "at least one opening"),
        ({"mon": "18:00-09:00"}, "does not run from an earlier to a later time"),
        ({"mon": "9-18"}, "are no hours"),
        ({"mon": "09:00-25:00"}, "does not run"),
        ({"monday-someday": "09:00-18:00"}, "names no days"),
        ({"mon": "09:00-12:00, 11:00-13:00"}, "overlap"),
    ],
)
def test_hours_that_cannot_be_meant_are_refused(hours: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        calendar("UTC", hours)


def test_an_unknown_holiday_calendar_is_refused() -> None:
    with pytest.raises(ValidationError, match="no public holidays are known"):
        calendar("UTC", holidays="XX")


def test_a_calendar_that_hardly_opens_does_not_count_for_ever() -> None:
    with pytest.raises(Invalid, match="often enough"):
        calendar("UTC", {"mon": "09:00-09:01"}).after(
            datetime(2026, 11, 23, tzinfo=UTC), parse("500 business hours")
        )


@pytest.mark.parametrize(
    "text", ["", "soon", "15", "minutes", "-5 minutes", "1 business week", "15 business"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-23 10:00", "2026-11-23 11:30", 1.5),
        ("2026-11-23 17:00", "2026-11-24 10:00", 2),
        ("2026-11-27 17:30", "2026-11-30 09:30", 1),
        ("2026-11-19 17:00", "2026-11-23 09:00", 1),  # 20 November is a holiday
        ("2026-11-22 03:00", "2026-11-22 04:00", 0),
        ("2026-11-23 11:00", "2026-11-23 10:00", 0),
    ],
)
def test_the_working_time_between_two_moments(start: str, end: str, hours: float) -> None:
    office, zone = calendar("America/Sao_Paulo", holidays="BR-SP"), "America/Sao_Paulo"
    assert office.between(local(zone, start), local(zone, end)) == timedelta(hours=hours)
