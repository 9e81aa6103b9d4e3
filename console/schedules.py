"""When a report is mailed, as a person chooses it, and as crontab(5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.errors import Invalid

#: What may be chosen, by the name that the form gives it.
CHOICES: Mapping[str, str] = MappingProxyType(
    {
        "": "Never",
        "day": "Every day",
        "workday": "Monday to Friday",
        "week": "Every Monday",
        "month": "On the first of each month",
        "own": "As written below",
    }
)
# Day of the month, month, day of the week.
_LINES = {"day": "* * *", "workday": "* * mon-fri", "week": "* * mon", "month": "1 * *"}
_LONGEST = 200
_KNOWN = re.compile(r"(\d{1,2}) (\d{1,2}) (.+)")


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is chosen, at what time of day (`HH:MM`), and the crontab line of one's own."""

    choice: str
    time: str
    own: str


def shown(line: str | None) -> Schedule:
    """A crontab line as the form shows it."""
    if not line:
        return Schedule("", "08:00", "")
    found = _KNOWN.fullmatch(line)
    if found and int(found[2]) < 24 and int(found[1]) < 60:
        for choice, days in _LINES.items():
            if found[3] == days:
                return Schedule(choice, f"{int(found[2]):02}:{int(found[1]):02}", "")
    return Schedule("own", "08:00", line)


def line(chosen: Schedule) -> str | None:
    """The crontab line of what was chosen; None for never. Raises Invalid for what is no choice or time."""
    if chosen.choice == "":
        return None
    if chosen.choice == "own":
        if not chosen.own:
            raise Invalid("some values are not acceptable", {"/schedule": "is empty"})
        if len(chosen.own) > _LONGEST:
            raise Invalid("some values are not acceptable", {"/schedule": "is longer than 200 characters"})
        return chosen.own
    days = _LINES.get(chosen.choice)
    if days is None:
        raise Invalid("some values are not acceptable", {"/schedule": "is none of the choices"})
    time = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", chosen.time, re.ASCII)
    if time is None:
        raise Invalid("some values are not acceptable", {"/schedule": "needs a time of day, such as 08:00"})
    return f"{int(time[2])} {int(time[1])} {days}"
