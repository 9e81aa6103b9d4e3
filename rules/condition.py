"""Conditions: checked when published, evaluated with the reason kept.

A condition is a tree of `&&`, `||` and `!` over leaves; each leaf is evaluated by the CEL library.
What a leaf cannot evaluate (a field that is empty, a text compared with a number) is neither true
nor false, as in CEL itself, and a condition that comes out so does not match.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cel

from core.errors import Invalid
from rules.cel import Node, SyntaxMistake, mistake_at, parse, path_of
from rules.library import BINDERS
from rules.meaning import check
from rules.sight import Sight, shown, value_at
from rules.vocabulary import Fields, References
from rules.workings import Unfit
from rules.writing import as_cel

# What a library call may raise for values that do not fit; its documented exceptions.
_UNFIT = (LookupError, TypeError, ValueError, RuntimeError, ArithmeticError)
_LONGEST_PROBLEM = 200


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

    def __init__(
        self, text: str, variables: Mapping[str, Fields] | None, known: References | None = None
    ) -> None:
        """Raises Invalid for a mistake in the text, with its position and the nearest valid name.

        Without `variables` the names in it are not checked, as with a text that was when it was published;
        such a one is read when it is first evaluated, for of many rules few are.
        """
        self.text = text
        if variables is not None:
            tree = self.tree()
            check(tree, variables, known or References())
            self._top = _compiled(text, tree)

    def tree(self) -> Node:
        """What it says, read anew. Raises Invalid where it is no condition."""
        try:
            return parse(self.text)
        except SyntaxMistake as mistake:
            raise mistake_at(mistake.at, str(mistake)) from None

    @cached_property
    def _top(self) -> _Piece:
        try:
            return _compiled(self.text, self.tree())
        except Invalid as mistake:  # another release took it
            return _Broken(self.text, str(mistake))

    def evaluate(self, sight: Sight) -> tuple[bool, list[Part]]:
        """Whether it matches, and each part that was looked at, in order."""
        parts: list[Part] = []
        return self._top.value(sight, parts) is True, parts

    def matches(self, sight: Sight) -> bool:
        """Whether it matches, where nobody asks why."""
        return self._top.value(sight, None) is True


@lru_cache(maxsize=2000)
def unchecked(text: str) -> Condition:
    """A condition that was checked when it was published."""
    return Condition(text, None)


class _Leaf:
    def __init__(self, text: str, node: Node) -> None:
        self.text = text[node.start : node.end]
        self.program = _program(as_cel(text, node))
        self.seen = {".".join(path): path for n in _outermost_paths(node) if (path := path_of(n)) is not None}

    def value(self, sight: Sight, parts: list[Part] | None) -> bool | None:
        result: bool | None = None
        problem = None
        try:
            found = sight.execute(self.program)
            if isinstance(found, bool):
                result = found
            else:
                problem = "is neither true nor false"
        except KeyError as error:
            problem = f"{str(error.args[0]).strip(chr(39))} is empty"
        except (Unfit, *_UNFIT) as error:
            problem = _in_words(error)
        if parts is not None:
            saw = {words: shown(value_at(sight.facts, path)) for words, path in self.seen.items()}
            parts.append(Part(self.text, result, saw, problem))
        return result


@lru_cache(maxsize=5000)
def _program(text: str) -> cel.Program:
    """Compiled once: many rules share their parts."""
    return cel.compile(text)


class _Broken:
    def __init__(self, text: str, problem: str) -> None:
        self.text = text
        self.problem = problem

    def value(self, sight: Sight, parts: list[Part] | None) -> bool | None:
        if parts is not None:
            parts.append(Part(self.text, None, {}, self.problem))
        return None


class _Not:
    def __init__(self, inner: _Piece) -> None:
        self.inner = inner

    def value(self, sight: Sight, parts: list[Part] | None) -> bool | None:
        inner = self.inner.value(sight, parts)
        return None if inner is None else not inner


class _Chain:
    """`&&` and `||`: the first part that decides, decides; else it can be told only where all parts can."""

    def __init__(self, decides: bool, inner: tuple[_Piece, ...]) -> None:
        self.decides = decides
        self.inner = inner

    def value(self, sight: Sight, parts: list[Part] | None) -> bool | None:
        told = True
        for piece in self.inner:
            result = piece.value(sight, parts)
            if result is self.decides:
                return result
            told = told and result is not None
        return not self.decides if told else None


_Piece = _Leaf | _Not | _Chain | _Broken


def _compiled(text: str, node: Node) -> _Piece:
    if node.kind in ("all", "any"):
        return _Chain(node.kind == "any", tuple(_compiled(text, part) for part in node.parts))
    if node.kind == "not":
        return _Not(_compiled(text, node.parts[0]))
    try:
        return _Leaf(text, node)
    except ValueError as error:  # our reading of the grammar is wider than the library's
        raise mistake_at(node.start, f"this is not understood: {str(error).splitlines()[0][:200]}") from None


def _outermost_paths(node: Node) -> list[Node]:
    if path_of(node) is not None:
        return [node]
    if node.kind == "call" and node.method and node.word in BINDERS:
        return _outermost_paths(node.parts[0])
    return [found for part in node.parts for found in _outermost_paths(part)]


def _in_words(error: Exception) -> str:
    if isinstance(error, TypeError):
        return "the values are of types that do not go together"
    if isinstance(error, IndexError):
        return "there are not so many items"
    text = str(error)
    if text.startswith("Undefined variable or function: '"):
        return f"'{text.split(chr(39))[1]}' cannot be asked of this value"
    return text.split(":", 1)[0][:_LONGEST_PROBLEM]
