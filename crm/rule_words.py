"""A rule of RFC 5545 in words, as people say it. Pure."""

from __future__ import annotations

import re
from datetime import date

from crm import recurrence

_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_DAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_ON = re.compile(r"([+-]?\d{0,2})([A-Z]{2})")
_SAID = frozenset({"FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "WKST"})


def words(text: str) -> str:
    """`Every 2 weeks on Monday, until 31 December 2026`; the rule itself where it says more than that."""
    rule = recurrence.read(text)
    parts = dict(part.split("=", 1) for part in rule.parts.split(";"))
    if not parts.keys() <= _SAID:
        return text
    unit, many = _UNITS[parts["FREQ"]], int(parts.get("INTERVAL", "1"))
    said = f"Every {unit}" if many == 1 else f"Every {many} {unit}s"
    if days := parts.get("BYDAY"):
        said += f" on {_listed([_weekday(day) for day in days.split(',')])}"
    if days := parts.get("BYMONTHDAY"):
        said += f" on {_listed([_day(int(day)) for day in days.split(',')])}"
    if months := parts.get("BYMONTH"):
        said += f" in {_listed([_MONTHS[int(month) - 1] for month in months.split(',')])}"
    if rule.count is not None:
        said += ", once" if rule.count == 1 else f", {rule.count} times"
    if rule.until is not None:
        last = date.fromisoformat(rule.until[:8])
        said += f", until {last.day} {_MONTHS[last.month - 1]} {last.year}"
    return said


def _weekday(written: str) -> str:
    found = _ON.fullmatch(written)
    if found is None or found[2] not in _DAYS:
        return written
    day = _DAYS[found[2]]
    return f"the {_place(int(found[1]))} {day}" if found[1] else day


def _day(number: int) -> str:
    return f"the {_place(number)} day" if number < 0 else f"the {_place(number)}"


def _place(number: int) -> str:
    if number == -1:
        return "last"
    size = abs(number)
    end = "th" if 10 < size % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(size % 10, "th")
    return f"{size}{end}" if number > 0 else f"{size}{end} last"


def _listed(parts: list[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
