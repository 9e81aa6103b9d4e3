"""Reads conditions in CEL (the Common Expression Language, cel-spec's grammar) into a tree.

Evaluation is the library's; the tree is ours, because a manager is owed the position of a mistake
and the part of a condition that was false. Every node knows the piece of text it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from core.errors import Invalid, PortariaError

_TOKEN = re.compile(
    r"""(?:[ \t\r\n]+|//[^\n]*)*+  # possessive: what was passed over is never tried in other pieces
    (?:(?P<number>0x[0-9a-fA-F]+u?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<string>[rRbB]{0,2}(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])|(?P<end>\Z))""",
    re.VERBOSE,
)
_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*)*+")
# How tightly operators bind, loosest first (cel-spec, "Syntax").
_BINDS = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3}
_CHAINED = {"||": "any", "&&": "all"}
_BINDS |= {"+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
LONGEST = 10_000
DEEPEST = 60
#: Of how many pieces a condition may be made.
MOST_PIECES = 1000


class SyntaxMistake(PortariaError):
    """The text is no CEL; `at` is the character where it stops being it, from 0."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def mistake_at(at: int, message: str) -> Invalid:
    """A mistake with its place; `at` counts from 0, people from 1."""
    return Invalid(f"at character {at + 1}: {message}")


@dataclass(slots=True)  # not frozen, which would make it twice as slow to make
class Node:
    """A piece of the expression.

    `kind` is one of: literal, name, select, index, call, not, negate, all (`&&`), any (`||`), binary,
    choose, list, map. `word` is the literal's text, the name, the field, the function or the operator.
    A chain of `&&` or of `||` is one node with as many parts.
    """

    kind: str
    word: str
    parts: tuple[Node, ...]
    start: int
    end: int
    #: Whether a call's first part is what it was called on: `a.f(b)` and not `f(a, b)`.
    method: bool = False
    #: How many nodes lie above each other in it.
    height: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        height = 0
        for part in self.parts:
            if part.height > height:
                height = part.height
        self.height = height + 1
        if height >= DEEPEST:
            raise SyntaxMistake(f"nested deeper than {DEEPEST}", self.start)

    def walk(self) -> Iterator[Node]:
        """This node and all beneath it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def path_of(node: Node) -> tuple[str, ...] | None:
    """`lead.fields.size` or `lead.fields["size"]` as its words; None for what is no plain path."""
    if node.kind == "name":
        return (node.word,)
    word: object = node.word
    if node.kind == "index":
        word = constant(node.parts[1])
    elif node.kind != "select":
        return None
    above = path_of(node.parts[0])
    return (*above, word) if above is not None and isinstance(word, str) else None


def constant(node: Node) -> str | int | float | bool | None:
    """What a literal says; None for null, for what is no literal, and for unusual spellings."""
    if node.kind != "literal":
        return None
    word = node.word
    if word in ("true", "false"):
        return word == "true"
    if word[0] in "\"'":
        return None if "\\" in word else word[1:-1]
    if word.isdecimal():
        return int(word)
    if word[0].isdecimal() and set(word) <= set("0123456789.eE+-"):
        return float(word)
    return None


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises SyntaxMistake, also for what is too long or nested too deeply to be meant.
    """
    if len(text) > LONGEST:
        raise SyntaxMistake(f"longer than {LONGEST} characters", LONGEST)
    reader = _Reader(text)
    if len(reader.tokens) > MOST_PIECES:
        raise SyntaxMistake(f"made of more than {MOST_PIECES} pieces", reader.tokens[MOST_PIECES].at)
    node = reader.expression(0)
    reader.expect("end")
    return node


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while (match := _TOKEN.match(text, at)) is not None:
        kind = match.lastgroup or ""
        word = match[kind]
        found.append(_Token(word if kind == "mark" or word == "in" else kind, word, match.start(kind)))
        at = match.end()
        if kind == "end":
            return found
    if (space := _SPACE.match(text, at)) is not None:
        at = space.end()
    raise SyntaxMistake(f"'{text[at]}' does not belong here", at)


class _Reader:
    """A precedence climber over the tokens."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.place = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.tokens[self.place]
        self.place += 1
        return token

    def expect(self, kind: str) -> _Token:
        if self.next.kind != kind:
            found = f"'{self.next.text}'" if self.next.text else "the end"
            wanted = "the end" if kind == "end" else f"'{kind}'"
            raise SyntaxMistake(f"{found} where {wanted} was expected", self.next.at)
        return self.take()

    def expression(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise SyntaxMistake(f"nested deeper than {DEEPEST}", self.next.at)
        condition = self.binary(1, depth)
        if self.next.kind != "?":
            return condition
        self.take()
        yes = self.binary(1, depth + 1)
        self.expect(":")
        no = self.expression(depth + 1)
        return Node("choose", "?:", (condition, yes, no), condition.start, no.end)

    def binary(self, least: int, depth: int) -> Node:
        left = self.unary(depth)
        while (binds := _BINDS.get(self.next.kind, 0)) >= least:
            operator = self.take().text
            right = self.binary(binds + 1, depth)
            kind = _CHAINED.get(operator, "binary")
            # A chain in brackets is a part of its own.
            chained = kind != "binary" and left.kind == kind and left.end == left.parts[-1].end
            parts = (*left.parts, right) if chained else (left, right)
            left = Node(kind, operator, parts, left.start, right.end)
        return left

    def unary(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise SyntaxMistake(f"nested deeper than {DEEPEST}", self.next.at)
        if self.next.kind in ("!", "-"):
            token = self.take()
            inner = self.unary(depth + 1)
            return Node("not" if token.text == "!" else "negate", token.text, (inner,), token.at, inner.end)
        return self.member(depth)

    def member(self, depth: int) -> Node:
        node = self.primary(depth)
        while True:
            if self.next.kind == ".":
                self.take()
                field = self.expect("name")
                if self.next.kind == "(":
                    arguments, end = self.arguments("(", ")", depth)
                    node = Node("call", field.text, (node, *arguments), node.start, end, method=True)
                else:
                    node = Node("select", field.text, (node,), node.start, field.at + len(field.text))
            elif self.next.kind == "[":
                self.take()
                key = self.expression(depth + 1)
                end = self.expect("]").at + 1
                node = Node("index", "[]", (node, key), node.start, end)
            else:
                return node

    def primary(self, depth: int) -> Node:
        token = self.next
        if token.kind in ("number", "string"):
            self.take()
            return Node("literal", token.text, (), token.at, token.at + len(token.text))
        if token.kind == "name":
            self.take()
            if token.text in ("true", "false", "null"):
                return Node("literal", token.text, (), token.at, token.at + len(token.text))
            if self.next.kind == "(":
                arguments, end = self.arguments("(", ")", depth)
                return Node("call", token.text, arguments, token.at, end)
            return Node("name", token.text, (), token.at, token.at + len(token.text))
        if token.kind == "(":
            self.take()
            inner = self.expression(depth + 1)
            end = self.expect(")").at + 1
            return replace(inner, start=token.at, end=end)
        if token.kind == "[":
            items, end = self.arguments("[", "]", depth)
            return Node("list", "[]", items, token.at, end)
        if token.kind == "{":
            return self.mapping(depth)
        found = f"'{token.text}'" if token.text else "the end"
        raise SyntaxMistake(f"{found} where a value was expected", token.at)

    def arguments(self, opening: str, closing: str, depth: int) -> tuple[tuple[Node, ...], int]:
        self.expect(opening)
        items = []
        while self.next.kind != closing:
            items.append(self.expression(depth + 1))
            if self.next.kind != ",":
                break
            self.take()
        return tuple(items), self.expect(closing).at + 1

    def mapping(self, depth: int) -> Node:
        start = self.expect("{").at
        items = []
        while self.next.kind != "}":
            items.append(self.expression(depth + 1))
            self.expect(":")
            items.append(self.expression(depth + 1))
            if self.next.kind != ",":
                break
            self.take()
        return Node("map", "{}", tuple(items), start, self.expect("}").at + 1)
