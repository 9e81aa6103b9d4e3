"""What the OpenAPI document cannot say as it comes: numbers that JSON's readers take for fractions."""

from __future__ import annotations

from typing import Any

_EXACT = 2**53
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def mended(part: Any) -> Any:
    """The document without bounds that a double cannot hold; whole ones are written as such."""
    if isinstance(part, list):
        return [mended(item) for item in part]
    if not isinstance(part, dict):
        return part
    made = {}
    for name, value in part.items():
        if name in _BOUNDS and isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) >= _EXACT:
                continue
            value = int(value) if value == int(value) else value
        made[name] = mended(value)
    return made
