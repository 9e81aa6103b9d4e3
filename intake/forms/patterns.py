"""A field's own pattern, looked for in time that grows with the text and no faster. Pure."""

from __future__ import annotations

import cel

_PROGRAM = cel.compile("value.matches(pattern)")


def fits(pattern: str, value: str) -> bool:
    """Whether the whole value fits. Raises ValueError where the pattern cannot be read."""
    try:
        return bool(_PROGRAM.execute(cel.Context({"value": value, "pattern": f"^(?:{pattern})$"})))
    except (ValueError, RuntimeError) as error:
        words = str(error).partition("error: ")[2].rpartition("error: ")[2].partition(". Check")[0]
        raise ValueError(words.strip()[:200] or "it is no regular expression") from None
