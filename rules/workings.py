"""How the functions of conditions do what they do. Pure.

What they need of the database or the clock comes in as `Surroundings`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import phonenumbers

from rules import duration, free_mail

#: The days of a week, as calendars name them.
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBER = re.compile(r"[-+]?\d{1,15}(\.\d{1,15})?")


class Unfit(Exception):
    """What a function was given is nothing it can work with; says why, for the trace."""


class OpenHours(Protocol):
    """A business calendar, as far as a condition asks it."""

    def is_open(self, at: datetime) -> bool:
        """Whether it is working time."""

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time that lies between them."""


def _nothing(_: str) -> None:
    return None


def _never(_trigger: str, _length: timedelta) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies around an element. The callables are asked only where a condition needs them.

    `members` are a named list's values, folded; `calendar` is a calendar by its key; both None where there
    is none. `count` is how often something happened to the person within a time.
    """

    now: datetime
    zone: ZoneInfo
    country: str
    members: Callable[[str], frozenset[str] | None] = _nothing
    calendar: Callable[[str], OpenHours | None] = _nothing
    count: Callable[[str, timedelta], int] = _never
    #: Whether the element is in a segment; None where there is none of this key.
    segment: Callable[[str], bool | None] = _nothing
    #: What the fields were that have just changed, by name.
    changes: Mapping[str, object] = field(default_factory=dict)


@lru_cache(maxsize=64)
def folded(text: str) -> str:
    """Lower case, without accents, spaces made single: as people compare words."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in apart if not unicodedata.combining(c)).split())


def fold(_: Surroundings, text: str) -> str:
    """The text in lower case, without accents, with single spaces."""
    return folded(text)


def same(_: Surroundings, one: str, other: str) -> bool:
    """Whether two texts are the same but for case, accents and spaces."""
    return folded(one) == folded(other)


def mentions(_: Surroundings, text: str, words: str) -> bool:
    """Whether a text has these words in it, whatever their case and accents."""
    wanted, whole = folded(words), folded(text)
    return wanted in whole and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", whole) is not None


def domain(_: Surroundings, address: str) -> str:
    """What follows the @ of an e-mail address, in lower case; nothing for what is no address."""
    before, _at, domain = address.rpartition("@")
    return domain.strip().lower().rstrip(".") if before else ""


def is_free_mail(around: Surroundings, address: str) -> bool:
    """Whether an e-mail address is of a provider where anybody gets one."""
    return free_mail.is_free(domain(around, address))


def phone_country(around: Surroundings, number: str) -> str:
    """The country of a telephone number: BR, PT; nothing where it cannot be told."""
    if len(number) > 64:
        return ""
    try:
        found = phonenumbers.parse(number, around.country)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.region_code_for_number(found) or ""


def in_list(around: Surroundings, value: object, name: str) -> bool:
    """Whether a value is in one of the workspace's `lists`, whatever its case and accents; an address also
    by its domain, a domain also by the one above it."""
    members = around.members(name)
    if members is None:
        raise Unfit(f"there is no list '{name}' any more")
    word = folded(str(value))
    if word in members:
        return True
    # An address is in a list of domains, and a domain in a list that names the one above it.
    above = word.rpartition("@")[2]
    while above.count("."):
        if above in members:
            return True
        above = above.partition(".")[2]
    return False


def in_segment(around: Surroundings, name: str) -> bool:
    """Whether the lead, deal or contact is in a saved segment."""
    found = around.segment(name)
    if found is None:
        raise Unfit(f"there is no segment '{name}'")
    return found


def _calendar(around: Surroundings, name: str) -> OpenHours:
    found = around.calendar(name)
    if found is None:
        raise Unfit(f"there is no calendar '{name}' any more")
    return found


def is_open(around: Surroundings, calendar: str, at: datetime | None = None) -> bool:
    """Whether it is working time by a calendar, now or at a moment."""
    return _calendar(around, calendar).is_open(at or around.now)


def business_hours_since(around: Surroundings, start: datetime, calendar: str) -> float:
    """How many working hours of a calendar have gone by since a moment."""
    return _calendar(around, calendar).between(start, around.now) / timedelta(hours=1)


def _local(around: Surroundings, at: datetime, zone: str | None) -> datetime:
    return at.astimezone(ZoneInfo(zone) if zone else around.zone)


def hour(around: Surroundings, at: datetime, zone: str | None = None) -> int:
    """The hour of a moment, 0 to 23, in a time zone; else in the workspace's."""
    return _local(around, at, zone).hour


def weekday(around: Surroundings, at: datetime, zone: str | None = None) -> str:
    """The day of a moment, mon to sun, in a time zone; else in the workspace's."""
    return DAYS[_local(around, at, zone).weekday()]


def date(around: Surroundings, at: datetime, zone: str | None = None) -> str:
    """The date of a moment, as 2026-11-23, in a time zone; else in the workspace's."""
    return _local(around, at, zone).date().isoformat()


def days_since(around: Surroundings, at: datetime) -> int:
    """How many whole days have gone by since a moment."""
    return (around.now - at) // timedelta(days=1)


def hours_since(around: Surroundings, at: datetime) -> float:
    """How many hours have gone by since a moment, with fractions."""
    return (around.now - at) / timedelta(hours=1)


def now(around: Surroundings) -> datetime:
    """This moment."""
    return around.now


def count(around: Surroundings, event: str, period: str) -> int:
    """How often something happened to this person within a time up to now, this one included."""
    return around.count(event, duration.parse(period).length)


def number(_: Surroundings, value: object) -> int | float:
    """The number that a text says; a number stays as it is."""
    if isinstance(value, int | float):
        return value
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise Unfit("this is no number")
    return float(text) if "." in text else int(text)


def changed(around: Surroundings, name: str) -> bool:
    """Whether this field of the lead or the deal has just changed."""
    return name in around.changes


def was(around: Surroundings, name: str) -> object:
    """What this field was before it has just changed; empty where it has not."""
    return around.changes.get(name)
