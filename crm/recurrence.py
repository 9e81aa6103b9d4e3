"""What comes again: rules of RFC 5545 (section 3.3.10), counted on the clock that hangs on the wall.

A call at nine is at nine on both sides of a change of clocks. An hour that a change skips is read with the
offset that was in force before it, as the RFC says (section 3.3.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr
from icalendar import vRecur

from core.errors import Invalid

#: Nothing is planned further ahead than this.
HORIZON = timedelta(days=366 * 20)
_KNOWN = frozenset(
    (
        *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYSETPOS"),
        *("BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH"),
    )
)
_OFTEN = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_LONGEST, _MOST = 500, 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that was read: its parts without COUNT and UNTIL, and those two."""

    parts: str
    count: int | None
    until: str | None


def read(text: str) -> Rule:
    """Reads `FREQ=WEEKLY;BYDAY=MO,TH`, with or without RRULE: before it. Raises Invalid, in words."""
    written = text.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for part in written.split(";"):
        name, equals, value = part.partition("=")
        if name not in _KNOWN or not equals or not value or name in parts:
            raise Invalid(f"'{part[:40]}' is no part of a rule such as FREQ=WEEKLY;BYDAY=MO,TH")
        parts[name] = value
    if len(written) > _LONGEST:
        raise Invalid("the rule is too long")
    if parts.get("FREQ") not in _OFTEN:
        raise Invalid(f"FREQ is one of {', '.join(_OFTEN)}")
    count, until = parts.pop("COUNT", None), parts.pop("UNTIL", None)
    if count is not None and until is not None:
        raise Invalid("COUNT and UNTIL do not go together")
    for name, number in (("COUNT", count), ("INTERVAL", parts.get("INTERVAL"))):
        if number is not None and not (
            number.isascii() and number.isdecimal() and 1 <= int(number[:9]) <= _MOST
        ):
            raise Invalid(f"{name} is a number from 1 to {_MOST}")
    rule = Rule(
        ";".join(f"{n}={v}" for n, v in parts.items()), int(count) if count is not None else None, until
    )
    _until(rule, ZoneInfo("UTC"))
    # From the first day of a leap year whatever comes at all comes within a few years.
    first = datetime(2024, 1, 1)  # noqa: DTZ001  on the wall
    if next(iter(_rrule(rule, first, first + HORIZON)), None) is None:
        raise Invalid("the rule never comes to a day")
    try:
        vRecur.from_ical(rule.parts)  # calendars must be able to read it too
    except ValueError as error:
        raise Invalid(f"this rule cannot be read: {error}") from None
    return rule


def following(text: str, *, start: datetime, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first moment of the series that began with `start` later than `after`; None where it is over."""
    return next((at for at in _moments(text, start=start, zone=zone, after=after) if at > after), None)


def from_here(text: str, *, start: datetime, zone: ZoneInfo, slot: datetime) -> str:
    """The same series as a rule that begins with one of its moments: with what is left of its COUNT."""
    rule = read(text)
    if rule.count is None:
        return rule.parts + (f";UNTIL={rule.until}" if rule.until else "")
    gone = sum(1 for at in _moments(text, start=start, zone=zone, after=slot) if at < slot)
    return f"{rule.parts};COUNT={max(rule.count - gone, 1)}"


def _moments(text: str, *, start: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The series in order, up to the horizon behind `after`; the first is always `start` itself."""
    rule = read(text)
    begins = start.astimezone(zone).replace(tzinfo=None, microsecond=0)
    last = max(start, after).astimezone(zone).replace(tzinfo=None) + HORIZON
    until = _until(rule, zone)
    for number, at in enumerate(_from(begins, _rrule(rule, begins, last))):
        if (until is not None and at > until) or (rule.count is not None and number >= rule.count):
            return
        yield at.replace(tzinfo=zone).astimezone(UTC)


def _from(begins: datetime, found: rrule) -> Iterator[datetime]:
    yield begins
    for at in found:
        if at != begins:
            yield at


def _rrule(rule: Rule, begins: datetime, last: datetime) -> rrule:
    try:
        made = rrulestr(rule.parts, dtstart=begins)
        # A rule that never fits, such as the 30th of February, must come to an end.
        bounded: rrule = made.replace(until=last)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise Invalid(f"this rule cannot be read: {error}") from None
    return bounded


def _until(rule: Rule, zone: ZoneInfo) -> datetime | None:
    """UNTIL on the wall: a day counts to its end; with Z it is in UTC."""
    if rule.until is None:
        return None
    for form, whole_day in (("%Y%m%dT%H%M%SZ", False), ("%Y%m%dT%H%M%S", False), ("%Y%m%d", True)):
        try:
            found = datetime.strptime(rule.until, form)  # noqa: DTZ007
        except ValueError:
            continue
        if form.endswith("Z"):
            return found.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
        return found + timedelta(days=1, microseconds=-1) if whole_day else found
    raise Invalid("UNTIL is a day such as 20261231, or a moment such as 20261231T120000Z")
