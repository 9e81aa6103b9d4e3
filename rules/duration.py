"""Durations as people write them: `15 business minutes`, `2 hours`, `1 business day`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from core.errors import Invalid

_FORM = re.compile(r"\s*(\d{1,6})\s+(business\s+)?(second|minute|hour|day|week)s?\s*", re.IGNORECASE)
_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time; `business` ones only count inside working hours.

    `days` is set where whole working days are meant, which have no fixed length.
    """

    length: timedelta
    business: bool
    days: int | None = None


def parse(text: str) -> Duration:
    """Raises Invalid for what is no duration."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise Invalid(f"'{text}' is no duration; write, for example, '15 business minutes' or '2 hours'")
    count, business, unit = int(match[1]), match[2] is not None, match[3].lower()
    if business and unit in ("day", "week"):
        if unit == "week":
            raise Invalid("a business week has no fixed length; write business days")
        return Duration(timedelta(), business=True, days=count)
    return Duration(count * _UNITS[unit], business=business)
