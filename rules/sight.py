"""What a condition sees: the facts in a form the CEL library takes, and the functions around them. Pure."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

import cel

from rules.functions import FUNCTIONS, Function
from rules.workings import Surroundings, Unfit

#: How much of a text, and how many items of a list or map, a condition looks at.
LONGEST_TEXT = 100_000
MOST_ITEMS = 500
_DEEPEST = 8
_LONGEST_SHOWN = 200
_TYPES: Mapping[str, type | tuple[type, ...]] = {"text": str, "moment": datetime, "any": object}


class Sight:
    """One look at an element. What is empty (None) is left out, so that CEL takes it for missing."""

    def __init__(self, facts: Mapping[str, Any], around: Surroundings) -> None:
        self.facts = {name: fitting(value) for name, value in facts.items()}
        self.around = around
        self.problem: str | None = None
        self.failure: Exception | None = None

    @cached_property
    def _context(self) -> cel.Context:
        return cel.Context(self.facts, _GUARDED)

    def execute(self, program: cel.Program) -> Any:
        """The program's value.

        Raises Unfit where a function was given what it cannot work with, else what the library raises.
        """
        self.problem = self.failure = None
        # A function may look at something else meanwhile: whether a segment's condition is true.
        outer = _looking.sight
        _looking.sight = self
        try:
            value = program.execute(self._context)
        except Exception:
            # What the library says of it only follows from what a function had to say.
            self._raise_own()
            raise
        finally:
            _looking.sight = outer
        self._raise_own()
        return value

    def _raise_own(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.problem is not None:
            raise Unfit(self.problem)


class _Looking(threading.local):
    """The look that this thread evaluates just now, as the functions, made once, belong to none."""

    sight: Sight | None = None


_looking = _Looking()


def _guarded(function: Function) -> Callable[..., Any]:
    """The function, which never raises: the library would print it, and hide what it was."""

    def work(*given: Any) -> Any:
        sight = _looking.sight
        assert sight is not None  # noqa: S101  only `execute` runs programs
        if not all(isinstance(v, _TYPES[t]) for v, t in zip(given, function.takes, strict=False)):
            sight.problem = sight.problem or f"'{function.name}' cannot work with this value"
            return None
        try:
            return function.work(sight.around, *given)
        except Unfit as error:
            sight.problem = sight.problem or str(error)
        except Exception as error:  # noqa: BLE001  raised again where the library cannot hide it
            sight.failure = sight.failure or error
        return None

    return work


_GUARDED = {name: _guarded(function) for name, function in FUNCTIONS.items()}


def value_at(facts: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """What stands there; None where nothing does."""
    value: Any = facts
    for word in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(word)
    return value


def shown(value: Any) -> Any:
    """A value as the trace keeps it: short, and what JSON knows."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bool | int | None):
        return value
    if isinstance(value, list):
        return [shown(item) for item in value[:20]]
    return shown(str(value))


def fitting(value: Any, depth: int = 0) -> Any:
    """A value as the library takes it: of bounded size, and nothing in it that is None.

    A number beyond its whole numbers becomes a fraction, a stranger its text.
    """
    kind = value.__class__
    if kind is str and len(value) <= LONGEST_TEXT and value.isascii():
        return value  # the commonest first: this is done for each fact of each event
    if isinstance(value, str):
        text = value[:LONGEST_TEXT]
        return text if text.isascii() else text.encode("utf-8", "replace").decode()
    if isinstance(value, bool | timedelta):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else _fraction(value)
    if isinstance(value, float):
        return value
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if depth < _DEEPEST and (kind is dict or isinstance(value, Mapping)):
        items = islice(value.items(), MOST_ITEMS)
        return {
            k if k.__class__ is str and k.isascii() else fitting(str(k)): fitting(v, depth + 1)
            for k, v in items
            if v is not None
        }
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return [fitting(item, depth + 1) for item in value[:MOST_ITEMS] if item is not None]
    return fitting(str(value))


def _fraction(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
