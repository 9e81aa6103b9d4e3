"""Custom fields as people write them in a file, as `crm.fields` takes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import Invalid
from crm.catalogue import CustomField
from crm.written import Custom, day, decimal, flag, moment

_SIGNS = {"€": "EUR", "£": "GBP", "R$": "BRL", "US$": "USD", "zł": "PLN"}
_MONEY = re.compile(r"(?:([A-Z]{3})\s*)?(-?[\d.,\s]+?)(?:\s*([A-Z]{3}))?")


def read(field: CustomField | None, value: Any, custom: Custom) -> Any:
    """The value for a field of this kind; as it is where it is none, or says nothing. Raises Invalid."""
    if field is None:
        return value
    if field.type in ("text", "link"):
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if isinstance(value, list) and field.type != "choices":
        value = ", ".join(map(str, value))
    reader = _READERS.get(field.type)
    if reader is None:
        return value
    if isinstance(value, str) and not value.strip():
        return None
    return reader(field, value, custom)


def _wrong(field: CustomField, value: Any, words: str) -> Invalid:
    told = {f"/fields/{field.key}": f"'{str(value)[:60]}' {words}"}
    return Invalid("some values are not acceptable", told)


def _number(field: CustomField, value: Any, custom: Custom) -> Any:
    if not isinstance(value, str):
        return value
    number = decimal(value, f"/fields/{field.key}")
    return int(number) if number == number.to_integral_value() else float(number)


def _money(field: CustomField, value: Any, custom: Custom) -> str:
    text = str(value).strip()
    for sign, code in _SIGNS.items():
        text = text.replace(sign, f" {code} ").strip() if sign in text else text
    found = _MONEY.fullmatch(text.removeprefix("$").strip())
    if found is None or (found[1] and found[3]):
        raise _wrong(field, value, "is no amount, such as 12.50 or 12.50 EUR")
    amount = decimal(found[2], f"/fields/{field.key}")
    return f"{amount:f} {found[1] or found[3] or ''}".strip()


def _day(field: CustomField, value: Any, custom: Custom) -> str:
    found = day(str(value), custom)
    if found is None:
        raise _wrong(field, value, "is no day: write 2026-01-31")
    return found.isoformat()


def _moment(field: CustomField, value: Any, custom: Custom) -> str:
    found = moment(str(value), custom)
    if found is None:
        raise _wrong(field, value, "is no moment: write 2026-01-31 09:00")
    return found.isoformat()


def _choice(field: CustomField, value: Any, custom: Custom) -> str:
    text = str(value).strip()
    return next((c for c in field.choices if c.casefold() == text.casefold()), text)


def _choices(field: CustomField, value: Any, custom: Custom) -> list[str]:
    parts = value if isinstance(value, list) else re.split(r"[,;|\n]", str(value))
    return [_choice(field, part, custom) for part in parts if str(part).strip()]


def _flag(field: CustomField, value: Any, custom: Custom) -> bool:
    return value if isinstance(value, bool) else flag(str(value), f"/fields/{field.key}")


def _row(field: CustomField, value: Any, custom: Custom) -> Any:
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else value


_READERS: Mapping[str, Callable[[CustomField, Any, Custom], Any]] = {
    "number": _number,
    "money": _money,
    "date": _day,
    "datetime": _moment,
    "choice": _choice,
    "choices": _choices,
    "flag": _flag,
    "file": _row,
    "reference": _row,
}
