"""Regular expressions of the workspace file: RE2's, which take time in proportion to the text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import re2

LONGEST = 500
#: What a pattern may come to once it is compiled; a repeated class is large.
_MEMORY = 4_000_000


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = False
    return re2.compile(f"(?m){pattern}", options)


def check(pattern: str) -> str:
    """The pattern. Raises ValueError for one that is none."""
    if len(pattern) > LONGEST:
        raise ValueError(f"a pattern is no longer than {LONGEST} characters")
    try:
        _compiled(pattern)
    except re2.error as error:
        words = error.args[0] if error.args else error
        said = words.decode() if isinstance(words, bytes) else str(words)
        raise ValueError(f"this is no pattern (RE2): {said}") from None
    return pattern


def groups(pattern: str) -> int:
    """How many groups it has."""
    return cast(int, _compiled(pattern).groups)


def matches(pattern: str, text: str) -> bool:
    """Whether it is found anywhere, whatever the case of its letters."""
    return _compiled(pattern).search(text) is not None


def first_group(pattern: str, text: str) -> str | None:
    """What its first group holds where it is first found; None where it is not found."""
    found = _compiled(pattern).search(text)
    return cast("str | None", found[1]) if found else None
