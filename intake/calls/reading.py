"""Reads what providers write: forms, JSON, numbers, moments, lengths of time. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from core.errors import Refused, Unreadable
from intake.delivery import Delivery
from intake.text import clean

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_MOST_FIELDS = 300
_CALL_ID = re.compile(r"[A-Za-z0-9_.:@=+/-]{1,200}")
# What makes a number be shown in another order than it is dialled (Unicode's bidirectional controls).
_TURNING = dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
# Withheld callers, also as the digits that spell ANONYMOUS, UNAVAILABLE, UNKNOWN, BLOCKED, RESTRICTED
# on a keypad; the first of them looks like a number in Lesotho.
_WITHHELD = frozenset(
    {
        "",
        "anonymous",
        "restricted",
        "unknown",
        "unavailable",
        "blocked",
        "private",
        "withheld",
        "hidden",
        "none",
    }
    | {"266696687", "86282452253", "8656696", "2562533", "7378742833"}
)


def pairs(content: bytes) -> list[tuple[str, str]]:
    """The names and values of a form. Raises Unreadable for what is none."""
    try:
        return parse_qsl(content.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (UnicodeDecodeError, ValueError):
        raise Unreadable("the body is no form") from None


def form(content: bytes) -> dict[str, str]:
    """A form's last value of each name. Raises Unreadable for what is none."""
    return dict(pairs(content))


def query(delivery: Delivery) -> dict[str, str]:
    """What stands behind the question mark. Raises Unreadable where that is no form."""
    return form(urlsplit(delivery.url).query.encode())


def told(delivery: Delivery) -> dict[str, str]:
    """A form's values, posted or in the address."""
    return form(delivery.body) if delivery.method == "POST" else query(delivery)


def document(content: bytes) -> dict[str, Any]:
    """The JSON object in it. Raises Unreadable for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("the body is no JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("the body is no JSON object")
    return found


def malformed(error: Unreadable) -> Refused:
    """What is said at the door to whoever sends what cannot be read."""
    return Refused(str(error), status=400, reason="malformed")


def call_id(value: object) -> str:
    """The provider's id of a call. Raises Unreadable without one."""
    found = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _CALL_ID.fullmatch(found):
        raise Unreadable("there is no id of a call in it")
    return found


def inner(values: Mapping[str, Any], *names: str) -> Any:
    """What lies at this path; None where nothing does."""
    found: Any = values
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def text(value: object, longest: int = 100) -> str | None:
    """One line of it; None for nothing."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    return clean(str(value)).translate(_TURNING).strip()[:longest] or None


def is_withheld(caller: str | None) -> bool:
    """Whether a caller's number stands for none."""
    name = (caller or "").strip().lower().removeprefix("sips:").removeprefix("sip:").partition("@")[0]
    return name.removeprefix("+") in _WITHHELD or name in ("0", "+")


def number(value: object) -> str | None:
    """A number or an address as it was written; None where it is withheld."""
    found = text(value)
    return None if found is None or is_withheld(found) else found


def international(value: object) -> str | None:
    """As `number`, of a provider that writes E.164 without its plus sign. Short ones are extensions."""
    found = number(value)
    return f"+{found}" if found and found.isdigit() and 8 <= len(found) <= 15 and found[0] != "0" else found


def seconds(value: object) -> int | None:
    """Whole seconds, rounded down; None for what makes no sense, such as less than none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,2}:[0-5][0-9]:[0-5][0-9]", value):
        hours, minutes, rest = value.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + int(rest)
    if isinstance(value, str) and re.fullmatch("[0-9]{1,6}", value):
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1_000_000:
        return int(value)
    return None


def seconds_since_1970(value: object) -> float:
    """A signed time; 0, which is never fresh, for what is none."""
    found = moment(value)
    return found.timestamp() if found else 0.0


def moment(value: object, zone: tzinfo = UTC) -> datetime | None:
    """ISO 8601, RFC 2822, or seconds or milliseconds since 1970; without a zone, in this one.

    None for what is no moment, for 1970 itself, which providers write for 'not yet', and for the far future.
    """
    found = _moment(value, zone)
    return found if found is not None and 1980 < found.year < 9999 else None


def _moment(value: object, zone: tzinfo) -> datetime | None:
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{9,13}", value):
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 100_000_000_000 else value, UTC)
        if not isinstance(value, str) or not 10 < len(value) < 60:
            return None
        found = datetime.fromisoformat(value) if value[:4].isdigit() else parsedate_to_datetime(value)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
