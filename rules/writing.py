"""Writes a piece of a condition down as the CEL library is to read it. Pure.

Two things are meant otherwise than the library takes them. An empty field may be absent, null or a text
of no length, and `has(lead.x)`, `lead.x == null` and `lead.x == ""` ask all the same: whether it is
empty. And a whole number calculated with a fraction is a fraction.
"""

from __future__ import annotations

from collections.abc import Iterator

from rules.cel import Node, constant, path_of

_CALCULATES = frozenset({"+", "-", "*", "/"})
Edit = tuple[int, int, str]


def as_cel(text: str, node: Node) -> str:
    """The piece of the text that the node stands for, rewritten where the library would take it otherwise."""
    written = text[node.start : node.end]
    for start, end, instead in sorted(_edits(text, node), reverse=True):
        written = written[: start - node.start] + instead + written[end - node.start :]
    return written


def asks_if_empty(node: Node) -> tuple[Node, bool] | None:
    """The field a comparison asks to be empty, and whether it asks (else: to be there); None for others."""
    if node.kind == "call" and node.word == "has" and not node.method and len(node.parts) == 1:
        return (node.parts[0], False) if _is_field(node.parts[0]) else None
    if node.kind != "binary" or node.word not in ("==", "!="):
        return None
    for field, other in (node.parts, node.parts[::-1]):
        if _is_field(field) and (_is_null(other) or constant(other) == ""):
            return field, node.word == "=="
    return None


def _edits(text: str, node: Node) -> Iterator[Edit]:
    asked = asks_if_empty(node)
    if asked is not None:
        field, empty = asked
        yield node.start, node.end, f"{'!' if empty else ''}({_there(text, field)})"
        return
    if node.kind == "binary" and node.word in _CALCULATES:
        for number, other in (node.parts, node.parts[::-1]):
            if isinstance(constant(number), float) and not isinstance(constant(other), float):
                yield other.start, other.start, "double("
                yield other.end, other.end, ")"
    for part in node.parts:
        yield from _edits(text, part)


def _there(text: str, field: Node) -> str:
    """Whether a field is there and not empty, in CEL, link by link from the variable on."""
    links = []
    link = field
    while link.kind != "name":
        links.append(link)
        link = link.parts[0]
    tests = [_holds(text, link) for link in reversed(links)]
    return " && ".join([*tests, f'{text[field.start : field.end]} != ""'])


def _holds(text: str, link: Node) -> str:
    if link.kind == "select":
        return f"has({text[link.start : link.end]})"
    key, above = link.parts[1], link.parts[0]
    return f"{text[key.start : key.end]} in {text[above.start : above.end]}"


def _is_field(node: Node) -> bool:
    path = path_of(node)
    return path is not None and len(path) > 1


def _is_null(node: Node) -> bool:
    return node.kind == "literal" and node.word == "null"
