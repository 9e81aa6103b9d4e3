"""Conditions: checked when published, evaluated with the reason kept.

A condition is a tree of `&&`, `||` and `!` over leaves; each leaf is evaluated by the CEL library.
What a leaf cannot evaluate (a field that is empty, a text compared with a number) is neither true
nor false, as in CEL itself, and a condition that comes out so does not match.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cel

from core.errors import Invalid
from rules.cel import Node, SyntaxMistake, parse, path_of
from rules.vocabulary import Fields, nearest

# What a library call may raise for values that do not fit; its documented exceptions.
_UNFIT = (KeyError, TypeError, ValueError, RuntimeError, ZeroDivisionError, OverflowError)
_BINDERS = frozenset({"exists", "all", "filter", "map", "exists_one"})
_FUNCTIONS = _BINDERS | {
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "has",
    "int",
    "double",
    "string",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDayOfMonth",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "max",
    "min",
    "type",
    "bool",
}
_ORDERED = frozenset({"<", "<=", ">", ">="})
_LONGEST_SEEN = 200


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf as it was evaluated: its text, what came out (None: it could not be told), what it saw."""

    text: str
    result: bool | None
    saw: Mapping[str, Any]
    problem: str | None = None

    def as_data(self) -> dict[str, Any]:
        """For the trace."""
        data = {"part": self.text, "result": self.result, "saw": dict(self.saw)}
        return data | {"problem": self.problem} if self.problem else data


class Condition:
    """A condition, ready to be evaluated any number of times."""

    def __init__(self, text: str, variables: Mapping[str, Fields] | None) -> None:
        """Raises Invalid for a mistake in the text, with its position and the nearest valid name.

        Without `variables` the names in it are not checked, as with a text that was when it was published.
        """
        self.text = text
        try:
            self.tree = parse(text)
        except SyntaxMistake as mistake:
            raise _at(mistake.at, str(mistake)) from None
        if variables is not None:
            _check(self.tree, variables, frozenset())
        self._leaves = {node: _leaf(text, node) for node in _leaves(self.tree)}

    def evaluate(self, context: cel.Context) -> tuple[bool, list[Part]]:
        """Whether it matches, and each part that was looked at, in order."""
        parts: list[Part] = []
        return self._value(self.tree, context, parts) is True, parts

    def _value(self, node: Node, context: cel.Context, parts: list[Part]) -> bool | None:
        if node.kind == "not" and node not in self._leaves:
            inner = self._value(node.parts[0], context, parts)
            return None if inner is None else not inner
        if node.kind == "binary" and node.word in ("&&", "||"):
            decides = node.word == "||"
            left = self._value(node.parts[0], context, parts)
            if left is decides:
                return left
            right = self._value(node.parts[1], context, parts)
            return right if right is decides or left is not None else None
        part = self._leaves[node].evaluate(context)
        parts.append(part)
        return part.result


@lru_cache(maxsize=2000)
def unchecked(text: str) -> Condition:
    """A condition that was checked when it was published."""
    return Condition(text, None)


class _Leaf:
    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self.program = cel.compile(text)
        self.seen = {
            ".".join(path): cel.compile(text[n.start - node.start : n.end - node.start])
            for n in _outermost_paths(node)
            if (path := path_of(n)) is not None
        }

    def evaluate(self, context: cel.Context) -> Part:
        result: bool | None = None
        problem = None
        try:
            value = self.program.execute(context)
            if isinstance(value, bool):
                result = value
            else:
                problem = "is neither true nor false"
        except KeyError as error:
            problem = f"{error.args[0]} is empty"
        except _UNFIT as error:
            problem = str(error).split(":", 1)[0][:_LONGEST_SEEN]
        return Part(self.text, result, {p: _value_of(c, context) for p, c in self.seen.items()}, problem)


def _leaf(text: str, node: Node) -> _Leaf:
    try:
        return _Leaf(text[node.start : node.end], node)
    except ValueError as error:  # our reading of the grammar is wider than the library's
        raise _at(node.start, f"this is not understood: {str(error).splitlines()[0][:200]}") from None


def _value_of(program: cel.Program, context: cel.Context) -> Any:
    try:
        value = program.execute(context)
    except _UNFIT:
        return None
    if isinstance(value, str) and len(value) > _LONGEST_SEEN:
        return value[:_LONGEST_SEEN] + "…"
    return value if isinstance(value, str | int | float | bool | list | None) else str(value)


def _leaves(node: Node) -> list[Node]:
    if node.kind == "binary" and node.word in ("&&", "||"):
        return [leaf for part in node.parts for leaf in _leaves(part)]
    if node.kind == "not":
        return _leaves(node.parts[0])
    return [node]


def _outermost_paths(node: Node) -> list[Node]:
    if path_of(node) is not None:
        return [node]
    if node.kind == "call" and node.method and node.word in _BINDERS:
        return _outermost_paths(node.parts[0])
    return [found for part in node.parts for found in _outermost_paths(part)]


def _at(at: int, message: str) -> Invalid:
    return Invalid(f"at character {at + 1}: {message}")


def _check(node: Node, variables: Mapping[str, Fields], bound: frozenset[str]) -> None:
    """Raises Invalid for a name, field, function or comparison that cannot be meant."""
    path = path_of(node)
    if path is not None:
        _check_path(node, path, variables, bound)
        return
    if node.kind == "call":
        if node.word not in _FUNCTIONS:
            raise _at(node.start, f"there is no function '{node.word}'{nearest(node.word, _FUNCTIONS)}")
        if node.method and node.word in _BINDERS and len(node.parts) > 1 and node.parts[1].kind == "name":
            _check(node.parts[0], variables, bound)
            for part in node.parts[2:]:
                _check(part, variables, bound | {node.parts[1].word})
            return
    if node.kind == "binary":
        _check_comparison(node, variables)
    for part in node.parts:
        _check(part, variables, bound)


def _check_path(
    node: Node, path: tuple[str, ...], variables: Mapping[str, Fields], bound: frozenset[str]
) -> None:
    first = path[0]
    if first in bound:
        return
    if first not in variables:
        raise _at(node.start, f"there is no '{first}'{nearest(first, variables)}")
    fields = variables[first]
    if "*" in fields:
        return
    if len(path) > 1 and path[1] not in fields:
        raise _at(node.start, f"'{first}' has no '{path[1]}'{nearest(path[1], fields)}")
    if len(path) > 2 and fields[path[1]] != "any":
        raise _at(node.start, f"'{first}.{path[1]}' has no parts")


def _check_comparison(node: Node, variables: Mapping[str, Fields]) -> None:
    if node.word not in _ORDERED and node.word not in ("==", "!="):
        return
    left, right = (_type(part, variables) for part in node.parts)
    if left and right and left != right:
        raise _at(node.start, f"compares {left} with {right}, which is never equal")
    if node.word in _ORDERED and "flag" in (left, right):
        raise _at(node.start, f"'{node.word}' does not order true and false")


def _type(node: Node, variables: Mapping[str, Fields]) -> str | None:
    """The node's type where it is known for certain."""
    if node.kind == "literal":
        if node.word in ("true", "false"):
            return "flag"
        if node.word == "null":
            return None
        return "text" if node.word[-1] in "\"'" else "number"
    path = path_of(node)
    if path is not None and len(path) == 2 and path[0] in variables:
        found = variables[path[0]].get(path[1])
        return found if found in ("text", "number", "flag") else None
    return None
