"""Finds what a condition cannot mean before it is published: names, types, choices, sizes. Pure.

Types are those of `rules.vocabulary`, and beside them: span (a length of time), list, map, kind (what
`type` gives), null. What is `any` may be anything, and is found out when the condition is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rules.cel import Node, constant, mistake_at, path_of
from rules.functions import FUNCTIONS
from rules.library import BINDERS, INSTEAD, KINDS, METHODS, PLAIN, alike, fits, in_words
from rules.literals import check_choice, check_readable, check_written
from rules.patterns import check_patterns
from rules.vocabulary import Fields, References, nearest

_COUNTABLE = ("text", "texts", "list", "map", "any")
_ORDERED = frozenset({"<", "<=", ">", ">="})
_DEEPEST_BINDER = 2


def check(tree: Node, variables: Mapping[str, Fields], known: References) -> None:
    """Raises Invalid for what cannot be meant, or cannot be evaluated within bounds."""
    found = _Meaning(variables, known, {}).type_of(tree)
    if found not in ("flag", "any"):
        raise mistake_at(tree.start, f"a condition is true or false, and this is {in_words(found)}")
    check_patterns(tree)
    if constant(tree) is None and not any(n.kind in ("name", "call") for n in tree.walk()):
        raise mistake_at(tree.start, "this refers to nothing: it always comes out the same")


@dataclass(frozen=True, slots=True)
class _Meaning:
    variables: Mapping[str, Fields]
    known: References
    #: The names that binders have bound around here, with their types.
    bound: Mapping[str, str]
    binders: int = 0

    def type_of(self, node: Node) -> str:
        """The node's type; raises Invalid for what is wrong in it."""
        path = path_of(node)
        if path is not None:
            return self._field(node, path)
        reader: Mapping[str, Callable[[Node], str]] = {
            "literal": _literal,
            "select": self._part,
            "index": self._item,
            "call": self._call,
            "not": self._not,
            "negate": self._negate,
            "all": self._chain,
            "any": self._chain,
            "binary": self._binary,
            "choose": self._choose,
            "list": self._list,
            "map": self._map,
        }
        return reader[node.kind](node)

    def _wants(self, node: Node, wanted: str, by: str) -> None:
        found = self.type_of(node)
        if not fits(found, wanted):
            raise mistake_at(node.start, f"{by} wants {in_words(wanted)}, and this is {in_words(found)}")

    def _field(self, node: Node, path: tuple[str, ...]) -> str:
        first = path[0]
        if first in self.bound:
            return self.bound[first] if len(path) == 1 else "any"
        if first not in self.variables:
            if node.kind == "name" and first in KINDS:
                return "kind"
            raise mistake_at(node.start, f"there is no '{first}'{nearest(first, self.variables)}")
        fields = self.variables[first]
        if "*" in fields:
            return "any"
        if len(path) == 1:
            return "map"
        if path[1] not in fields:
            raise mistake_at(node.start, f"'{first}' has no '{path[1]}'{nearest(path[1], fields)}")
        found = fields[path[1]]
        if len(path) > 2 and found not in ("any", "map"):
            raise mistake_at(node.start, f"'{first}.{path[1]}' has no parts")
        return found if len(path) == 2 else "any"

    def _part(self, node: Node) -> str:
        found = self.type_of(node.parts[0])
        if found not in ("any", "map"):
            raise mistake_at(node.start, f"{in_words(found)} has no '{node.word}'")
        return "any"

    def _item(self, node: Node) -> str:
        found = self.type_of(node.parts[0])
        if found not in ("any", "map", "list", "texts"):
            raise mistake_at(node.start, f"{in_words(found)} has no items")
        if found in ("list", "texts"):
            self._wants(node.parts[1], "number", "the place in a list")
        else:
            self.type_of(node.parts[1])
        return "text" if found == "texts" else "any"

    def _not(self, node: Node) -> str:
        self._wants(node.parts[0], "flag", "'!'")
        return "flag"

    def _negate(self, node: Node) -> str:
        self._wants(node.parts[0], "number", "'-'")
        return "number"

    def _chain(self, node: Node) -> str:
        for part in node.parts:
            self._wants(part, "flag", f"'{node.word}'")
        return "flag"

    def _choose(self, node: Node) -> str:
        self._wants(node.parts[0], "flag", "'?'")
        yes, no = (self.type_of(part) for part in node.parts[1:])
        return yes if yes == no else "any"

    def _list(self, node: Node) -> str:
        return "texts" if {self.type_of(part) for part in node.parts} == {"text"} else "list"

    def _map(self, node: Node) -> str:
        for part in node.parts:
            self.type_of(part)
        return "map"

    def _binary(self, node: Node) -> str:
        if node.word == "in":
            return self._in(node)
        left, right = (self.type_of(part) for part in node.parts)
        if node.word in ("==", "!=") or node.word in _ORDERED:
            return self._comparison(node, left, right)
        return self._calculation(node, left, right)

    def _comparison(self, node: Node, left: str, right: str) -> str:
        if "null" in (left, right) and node.word in ("==", "!="):
            return "flag"
        if not alike(left, right):
            hint = ""
            if {left, right} == {"moment", "text"}:
                hint = '; write timestamp("2026-11-23T00:00:00Z"), or compare its date(…)'
            elif {left, right} == {"texts", "text"}:
                hint = '; write "…" in …'
            raise mistake_at(
                node.start, f"compares {in_words(left)} with {in_words(right)}, which is never equal{hint}"
            )
        if node.word in _ORDERED and (unordered := {left, right} & {"flag", "texts", "list", "map", "kind"}):
            words = "true and false" if "flag" in unordered else in_words(min(unordered))
            raise mistake_at(node.start, f"'{node.word}' does not order {words}")
        for field, other in (node.parts, node.parts[::-1]):
            check_choice(field, other, self.known)
        return "flag"

    def _in(self, node: Node) -> str:
        item, items = (self.type_of(part) for part in node.parts)
        if items == "text":
            raise mistake_at(node.start, "'in' wants a list, and this is text; write ….contains(…)")
        if items not in ("texts", "list", "map", "any"):
            raise mistake_at(node.start, f"'in' wants a list, and this is {in_words(items)}")
        if items == "texts" and not alike(item, "text"):
            raise mistake_at(node.start, f"looks for {in_words(item)} among texts, where it never is")
        if node.parts[1].kind == "list":
            for part in node.parts[1].parts:
                check_choice(node.parts[0], part, self.known)
        return "flag"

    def _calculation(self, node: Node, left: str, right: str) -> str:
        if node.word in ("/", "%") and constant(node.parts[1]) in (0, 0.0):
            raise mistake_at(node.parts[1].start, "divides by zero")
        gives = {
            ("+", "text", "text"): "text",
            ("+", "moment", "span"): "moment",
            ("+", "span", "moment"): "moment",
            ("+", "span", "span"): "span",
            ("+", "texts", "texts"): "texts",
            ("-", "moment", "moment"): "span",
            ("-", "moment", "span"): "moment",
            ("-", "span", "span"): "span",
        }.get((node.word, left, right))
        if gives is not None:
            return gives
        if left == right == "number":
            return "number"
        if "any" in (left, right) or (node.word == "+" and {left, right} <= {"list", "texts"}):
            return "any"
        raise mistake_at(node.start, f"'{node.word}' does not go with {in_words(left)} and {in_words(right)}")

    def _call(self, node: Node) -> str:
        if node.method and node.word in BINDERS:
            return self._binder(node)
        if node.word == "has" and not node.method:
            return self._has(node)
        if node.method and node.word in METHODS:
            on, takes, gives = METHODS[node.word]
            self._method(node, on, takes)
            return gives
        if not node.method and node.word in PLAIN:
            takes, gives = PLAIN[node.word]
            self._takes(node, takes, 0)
            if node.word == "size" and self.type_of(node.parts[0]) not in _COUNTABLE:
                raise mistake_at(node.start, f"{in_words(self.type_of(node.parts[0]))} has no size")
            check_readable(node)
            return gives
        if not node.method and node.word in FUNCTIONS:
            function = FUNCTIONS[node.word]
            self._takes(node, function.takes, function.may_omit)
            check_written(node, function, self.known)
            return function.gives
        raise mistake_at(node.start, self._no_such(node))

    def _no_such(self, node: Node) -> str:
        if node.method and (node.word in FUNCTIONS or node.word in PLAIN):
            return f"'{node.word}' is written {node.word}(…), with what it is about in the brackets"
        if not node.method and (node.word in METHODS or node.word in BINDERS):
            return f"'{node.word}' is written after what it is about: ….{node.word}(…)"
        if node.word in INSTEAD:
            return f"there is no function '{node.word}'; {INSTEAD[node.word]}"
        names = [*METHODS, *BINDERS] if node.method else [*FUNCTIONS, *PLAIN, "has"]
        return f"there is no function '{node.word}'{nearest(node.word, names)}"

    def _method(self, node: Node, on: str, takes: tuple[str, ...]) -> None:
        given = node.parts[1:]
        if len(given) != len(takes):
            zone = "; for a time zone write hour(moment, zone)" if on == "moment" else ""
            raise mistake_at(node.start, f"'{node.word}' takes {_so_many(len(takes))}{zone}")
        self._wants(node.parts[0], on, f"'{node.word}'")
        if node.word == "size" and (found := self.type_of(node.parts[0])) not in _COUNTABLE:
            raise mistake_at(node.start, f"{in_words(found)} has no size")
        for part, wanted in zip(given, takes, strict=True):
            self._wants(part, wanted, f"'{node.word}'")

    def _takes(self, node: Node, takes: tuple[str, ...], may_omit: int) -> None:
        most, given = len(takes), len(node.parts)
        if not most - may_omit <= given <= most:
            least = f"{most - may_omit} or " if may_omit else ""
            raise mistake_at(node.start, f"'{node.word}' takes {least}{_so_many(most)}")
        for part, wanted in zip(node.parts, takes, strict=False):
            self._wants(part, wanted, f"'{node.word}'")

    def _has(self, node: Node) -> str:
        path = path_of(node.parts[0]) if len(node.parts) == 1 else None
        if path is None or len(path) < 2:
            raise mistake_at(node.start, "'has' wants a field, such as has(lead.company)")
        self._field(node.parts[0], path)
        return "flag"

    def _binder(self, node: Node) -> str:
        on, *rest = node.parts
        if len(rest) not in ((2, 3) if node.word == "map" else (2,)) or rest[0].kind != "name":
            raise mistake_at(node.start, f"'{node.word}' is written ….{node.word}(name, condition on it)")
        if self.binders >= _DEEPEST_BINDER:
            raise mistake_at(
                node.start, f"looks through lists inside lists; {_DEEPEST_BINDER} deep is the most"
            )
        items = self.type_of(on)
        if items not in ("texts", "list", "map", "any"):
            raise mistake_at(node.start, f"'{node.word}' wants a list, and this is {in_words(items)}")
        name = rest[0].word
        inner = replace(
            self,
            bound={**self.bound, name: "text" if items == "texts" else "any"},
            binders=self.binders + 1,
        )
        for part in rest[1:] if node.word != "map" else rest[1:-1]:
            inner._wants(part, "flag", f"'{node.word}'")
        if node.word == "filter":
            return items
        if node.word == "map":
            return "texts" if inner.type_of(rest[-1]) == "text" else "list"
        return "flag"


def _literal(node: Node) -> str:
    if node.word in ("true", "false"):
        return "flag"
    if node.word == "null":
        return "null"
    if node.word[-1] not in "\"'":
        return "number"
    return "bytes" if "b" in node.word[:2].lower().partition('"')[0].partition("'")[0] else "text"


def _so_many(count: int) -> str:
    return {0: "nothing in its brackets", 1: "1 value"}.get(count, f"{count} values")
