"""What a condition needs to be true of plain fields, as far as that is plain without evaluating it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import Invalid
from rules.cel import Node, constant, path_of
from rules.condition import Condition

# Whole numbers up to here are the same as a fraction of the same value, in the library and here.
_EXACT = 2**53
#: Longer texts are compared by evaluating: what was seen is kept in the trace.
LONGEST = 100

Path = tuple[str, ...]
#: A value with its type, for Python takes true for 1.
Value = tuple[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Guard:
    """A part of a condition: the field must have one of the values, or be a list that holds one."""

    path: Path
    values: frozenset[Value]
    text: str
    holds: bool = False

    def lets(self, values: Iterable[Value] | None) -> bool:
        """Whether the part may be true of these; None: that cannot be told here."""
        return values is None or not self.values.isdisjoint(values)


def guards(condition: Condition | None) -> tuple[Guard, ...]:
    """What a condition needs to be true of plain fields; in its order."""
    if condition is None:
        return ()
    try:
        tree = condition.tree()
    except Invalid:
        return ()  # it says why itself when it is evaluated
    return tuple(_guards(condition.text, tree.parts if tree.kind == "all" else (tree,)))


def _guards(text: str, parts: Iterable[Node]) -> Iterator[Guard]:
    for part in parts:
        if part.kind == "all":
            yield from _guards(text, part.parts)
            continue
        asked = _asked(part)
        if asked is not None:
            path, holds, values = asked
            yield Guard(path, values, text[part.start : part.end], holds)


_Asked = tuple[Path, bool, frozenset[Value]]


def _asked(node: Node) -> _Asked | None:
    """The field, whether it is a list, and the values of a part that is true of no others."""
    if node.kind == "any":
        each = [_asked(part) for part in node.parts]
        first = each[0]
        if first is None or any(a is None or a[:2] != first[:2] for a in each):
            return None
        return (*first[:2], frozenset().union(*(a[2] for a in each if a is not None)))
    if node.kind != "binary" or node.word not in ("==", "in"):
        return None
    left, right = node.parts
    if node.word == "in" and right.kind == "list":
        return _is_one_of(left, right.parts)
    if node.word == "in":
        value, path = _written(left), path_of(right)
        # Where it is no list but a group of fields, which `in` asks for a name, that cannot be told here.
        return (path, True, frozenset([value])) if value is not None and path and len(path) > 1 else None
    return _is_one_of(left, [right]) or _is_one_of(right, [left])


def _is_one_of(item: Node, wanted: Sequence[Node]) -> _Asked | None:
    path = path_of(item)
    values = [_written(node) for node in wanted]
    if path is None or len(path) < 2 or not values or None in values:
        return None
    return path, False, frozenset(v for v in values if v is not None)


def _written(node: Node) -> Value | None:
    said = constant(node)
    # A comparison with a text of no length asks whether the field is empty, which is another question.
    if said is None or said == "" or (isinstance(said, str) and len(said) > LONGEST):
        return None
    found = values_of(said, False)
    return found[0] if found else None


def values_of(value: Any, holds: bool) -> list[Value] | None:
    """What a field's value can be equal to; none where it is empty, None where it cannot be told here."""
    if value is None:
        return []
    if holds:
        if not isinstance(value, list | tuple):
            return None
        each = [values_of(item, False) for item in value]
        return None if any(e is None for e in each) else [v for e in each if e for v in e]
    if isinstance(value, str):
        return [("text", value)]
    if isinstance(value, bool):
        return [("flag", value)]
    if isinstance(value, int | float) and abs(value) < _EXACT:
        return [("number", value)]
    return None
