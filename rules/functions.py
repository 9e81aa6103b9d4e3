"""What conditions can do beyond CEL itself: our own functions, one declared table. Pure.

What they need of the database or the clock comes in as `Surroundings`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import phonenumbers

from rules import duration, free_mail

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
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


@dataclass(frozen=True, slots=True)
class Function:
    """A function: the types it takes, of which the last ones may be left out, and the type it gives.

    `written` tells of which of its arguments must be literals what they name: a list, calendar, zone, event
    or period, so that they are checked beforehand. `choices` are the only words it gives.
    """

    name: str
    takes: tuple[str, ...]
    gives: str
    words: str
    example: str
    work: Callable[..., Any]
    may_omit: int = 0
    written: Mapping[int, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def folded(text: str) -> str:
    """Lower case, without accents, spaces made single: as people compare words."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in apart if not unicodedata.combining(c)).split())


def _fold(_: Surroundings, text: str) -> str:
    return folded(text)


def _same(_: Surroundings, one: str, other: str) -> bool:
    return folded(one) == folded(other)


def _mentions(_: Surroundings, text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(folded(words))}(?!\w)", folded(text)) is not None


def _domain(_: Surroundings, address: str) -> str:
    before, _at, domain = address.rpartition("@")
    return domain.strip().lower().rstrip(".") if before else ""


def _is_free_mail(around: Surroundings, address: str) -> bool:
    return free_mail.is_free(_domain(around, address))


def _phone_country(around: Surroundings, number: str) -> str:
    if len(number) > 64:
        return ""
    try:
        found = phonenumbers.parse(number, around.country)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.region_code_for_number(found) or ""


def _in_list(around: Surroundings, value: object, name: str) -> bool:
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


def _calendar(around: Surroundings, name: str) -> OpenHours:
    found = around.calendar(name)
    if found is None:
        raise Unfit(f"there is no calendar '{name}' any more")
    return found


def _is_open(around: Surroundings, calendar: str, at: datetime | None = None) -> bool:
    return _calendar(around, calendar).is_open(at or around.now)


def _business_hours_since(around: Surroundings, start: datetime, calendar: str) -> float:
    return _calendar(around, calendar).between(start, around.now) / timedelta(hours=1)


def _local(around: Surroundings, at: datetime, zone: str | None) -> datetime:
    return at.astimezone(ZoneInfo(zone) if zone else around.zone)


def _hour(around: Surroundings, at: datetime, zone: str | None = None) -> int:
    return _local(around, at, zone).hour


def _weekday(around: Surroundings, at: datetime, zone: str | None = None) -> str:
    return _DAYS[_local(around, at, zone).weekday()]


def _date(around: Surroundings, at: datetime, zone: str | None = None) -> str:
    return _local(around, at, zone).date().isoformat()


def _days_since(around: Surroundings, at: datetime) -> int:
    return (around.now - at) // timedelta(days=1)


def _hours_since(around: Surroundings, at: datetime) -> float:
    return (around.now - at) / timedelta(hours=1)


def _now(around: Surroundings) -> datetime:
    return around.now


def _count(around: Surroundings, event: str, period: str) -> int:
    return around.count(event, duration.parse(period).length)


def _number(_: Surroundings, value: object) -> int | float:
    if isinstance(value, int | float):
        return value
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise Unfit("this is no number")
    return float(text) if "." in text else int(text)


_ZONED = {1: "zone"}
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        f.name: f
        for f in (
            Function(
                "fold",
                ("text",),
                "text",
                "The text in lower case, without accents, with single spaces",
                'fold(lead.company) == "conceicao ltda"',
                _fold,
            ),
            Function(
                "same",
                ("text", "text"),
                "flag",
                "Whether two texts are the same but for case, accents and spaces",
                'same(lead.company, "Conceição Ltda")',
                _same,
            ),
            Function(
                "mentions",
                ("text", "text"),
                "flag",
                "Whether a text has these words in it, whatever their case and accents",
                'mentions(lead.message, "orçamento")',
                _mentions,
            ),
            Function(
                "number",
                ("any",),
                "number",
                "The number that a text says; a number stays as it is",
                "number(lead.fields.employees) >= 200",
                _number,
            ),
            Function(
                "domain",
                ("text",),
                "text",
                "What follows the @ of an e-mail address, in lower case; nothing for what is no address",
                'domain(lead.email).endsWith(".edu")',
                _domain,
            ),
            Function(
                "is_free_mail",
                ("text",),
                "flag",
                "Whether an e-mail address is of a provider where anybody gets one",
                "!is_free_mail(lead.email)",
                _is_free_mail,
            ),
            Function(
                "phone_country",
                ("text",),
                "text",
                "The country of a telephone number: BR, PT; nothing where it cannot be told",
                'phone_country(lead.phone) == "BR"',
                _phone_country,
            ),
            Function(
                "in_list",
                ("any", "text"),
                "flag",
                "Whether a value is in one of the workspace's `lists`, whatever its case and accents; "
                "an address also by its domain, a domain also by the one above it",
                'in_list(lead.email, "competitors")',
                _in_list,
                written={1: "list"},
            ),
            Function(
                "is_open",
                ("text", "moment"),
                "flag",
                "Whether it is working time by a calendar, now or at a moment",
                '!is_open("office")',
                _is_open,
                may_omit=1,
                written={0: "calendar"},
            ),
            Function(
                "business_hours_since",
                ("moment", "text"),
                "number",
                "How many working hours of a calendar have gone by since a moment",
                'business_hours_since(lead.created_at, "office") > 4.0',
                _business_hours_since,
                written={1: "calendar"},
            ),
            Function("now", (), "moment", "This moment", "hour(now()) < 9", _now),
            Function(
                "hour",
                ("moment", "text"),
                "number",
                "The hour of a moment, 0 to 23, in a time zone; else in the workspace's",
                'hour(lead.created_at, "America/Sao_Paulo") >= 18',
                _hour,
                may_omit=1,
                written=_ZONED,
            ),
            Function(
                "weekday",
                ("moment", "text"),
                "text",
                "The day of a moment, mon to sun, in a time zone; else in the workspace's",
                'weekday(now()) in ["sat", "sun"]',
                _weekday,
                may_omit=1,
                written=_ZONED,
                choices=_DAYS,
            ),
            Function(
                "date",
                ("moment", "text"),
                "text",
                "The date of a moment, as 2026-11-23, in a time zone; else in the workspace's",
                'date(now()) >= "2026-12-20"',
                _date,
                may_omit=1,
                written=_ZONED,
            ),
            Function(
                "days_since",
                ("moment",),
                "number",
                "How many whole days have gone by since a moment",
                "days_since(lead.created_at) >= 3",
                _days_since,
            ),
            Function(
                "hours_since",
                ("moment",),
                "number",
                "How many hours have gone by since a moment, with fractions",
                "hours_since(lead.created_at) > 1.5",
                _hours_since,
            ),
            Function(
                "count",
                ("text", "text"),
                "number",
                "How often something happened to this person within a time up to now, this one included",
                'count("form.submitted", "30 days") >= 3',
                _count,
                written={0: "event", 1: "period"},
            ),
        )
    }
)
