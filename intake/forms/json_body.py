"""A JSON body as services post it, read with bounds and without trust. Pure."""

from __future__ import annotations

import json
import math
from typing import Any

from core.errors import Refused, Unreadable
from intake.forms.body import JSON
from intake.text import clean

_DEEPEST = 40
_MOST = 20_000


def document(body: bytes) -> dict[str, Any]:
    """The object it holds, its texts cleaned. Raises Refused (400) for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("the body is no JSON", status=400, reason="malformed") from None
    if not isinstance(found, dict):
        raise Refused("the body is no JSON object", status=400, reason="malformed")
    left = [_MOST]
    cleaned: dict[str, Any] = _cleaned(found, 0, left)
    return cleaned


def _cleaned(value: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if depth > _DEEPEST or left[0] < 0:
        raise Refused("the body is nested too deep or holds too much", status=400, reason="malformed")
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(k))[:200]: _cleaned(v, depth + 1, left) for k, v in value.items()}
    if isinstance(value, list):
        return [_cleaned(v, depth + 1, left) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused("a number in the body is none", status=400, reason="malformed")
    return value


def understood(body: bytes) -> dict[str, Any]:
    """The same for an event that was accepted before: raises Unreadable."""
    try:
        return document(body)
    except Refused as error:
        raise Unreadable(str(error)) from None


def if_json(body: bytes, content_type: str) -> dict[str, Any] | None:
    """The same where the body says that it is JSON; None for the other encodings of a form."""
    return understood(body) if content_type.lower().startswith(JSON) else None


def at(value: Any, *path: str) -> Any:
    """What stands at a path of names; None where it leads nowhere."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text(value: Any, *path: str) -> str:
    """The same as text; empty where nothing or no plain value stands there."""
    found = at(value, *path)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def plain(value: Any) -> tuple[Any, ...]:
    """The texts, numbers and flags in it: itself, or those of a list, whose own lists are opened once."""
    given = value if isinstance(value, list) else [value]
    opened = [v for one in given for v in (one if isinstance(one, list) else [one])]
    return tuple(v for v in opened if isinstance(v, str | int | float))


def items(value: Any, *path: str) -> list[dict[str, Any]]:
    """The objects of the list at a path; none where there is no list."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
