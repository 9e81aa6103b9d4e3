"""What differs between two sets of rules, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from core.errors import Invalid
from rules.schema import planned

_WORDS = {
    "on": "waits for",
    "at": "comes at",
    "timezone": "is timed in",
    "when": "asks",
    "once": "runs once per",
    "stop_when": "stops when",
}


def difference(before: Sequence[Any], after: Sequence[Any]) -> Iterator[str]:
    """One line for each rule that came or went or was moved, and for each thing that was changed in one."""
    old = {rule["name"]: rule for rule in before}
    new = {rule["name"]: rule for rule in after}
    for name in old.keys() - new.keys():
        yield f"- {name}"
    for name, rule in new.items():
        if name not in old:
            yield f"+ {name}: waits for {rule['on']}" + (f", asks {rule['when']}" if rule.get("when") else "")
            yield from (f"    {step}" for step in _steps(rule["do"]))
        elif changed := list(_changed(old[name], rule)):
            yield f"~ {name}"
            yield from (f"    {line}" for line in changed)
    kept_before = [name for name in old if name in new]
    kept_after = [name for name in new if name in old]
    if kept_before != kept_after:
        yield f"~ the order: {', '.join(kept_after)}"


def _changed(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for field, words in _WORDS.items():
        if old.get(field) != new.get(field):
            yield f"{words} {_shown(new.get(field))} instead of {_shown(old.get(field))}"
    if old.get("active", True) != new.get("active", True):
        yield "is looked at again" if new.get("active", True) else "is not looked at any more"
    if len(old.get("tests", ())) != len(new.get("tests", ())):
        yield f"carries {len(new.get('tests', ()))} tests instead of {len(old.get('tests', ()))}"
    steps = list(_steps(old["do"])), list(_steps(new["do"]))
    for line in difflib.ndiff(*steps):
        if line[0] in "+-":
            yield line
    if steps[0] == steps[1] and old["do"] != new["do"]:
        yield "its steps have other settings"


def _steps(entries: Any, depth: int = 0) -> Iterator[str]:
    for entry in entries if isinstance(entries, list) else ():
        try:
            step = planned(entry)
        except Invalid:
            yield "  " * depth + str(entry)
            continue
        yield "  " * depth + step.summary
        for name, inner in step.lists.items():
            if inner:
                yield "  " * depth + f"  {name}:"
                yield from ("  " * (depth + 2) + s.summary for s in inner)


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)
