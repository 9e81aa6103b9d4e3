"""Finds what a condition cannot mean before it is published: names, types, choices, sizes. Pure.

Types are those of `rules.vocabulary`, and beside them: span (a length of time), list, map, kind (what
`type` gives), null. What is `any` may be anything, and is found out when the condition is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from zoneinfo import available_timezones

import cel

from core.errors import Invalid
from rules import duration
from rules.cel import Node, constant, path_of
from rules.functions import FUNCTIONS, Function
from rules.vocabulary import CHOICES, COUNTED, Fields, References, nearest

BINDERS = frozenset({"exists", "all", "filter", "map", "exists_one"})
# The library's own: on what they are called, the types they take, what they give.
_METHODS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "contains": ("text", ("text",), "flag"),
    "startsWith": ("text", ("text",), "flag"),
    "endsWith": ("text", ("text",), "flag"),
    "matches": ("text", ("text",), "flag"),
    "size": ("any", (), "number"),
    "getFullYear": ("moment", (), "number"),
    "getMonth": ("moment", (), "number"),
    "getDate": ("moment", (), "number"),
    "getDayOfMonth": ("moment", (), "number"),
    "getDayOfWeek": ("moment", (), "number"),
    "getDayOfYear": ("moment", (), "number"),
    "getHours": ("moment", (), "number"),
    "getMinutes": ("moment", (), "number"),
    "getSeconds": ("moment", (), "number"),
}
_PLAIN: Mapping[str, tuple[tuple[str, ...], str]] = {
    "size": (("any",), "number"),
    "int": (("any",), "number"),
    "double": (("any",), "number"),
    "string": (("any",), "text"),
    "timestamp": (("any",), "moment"),
    "duration": (("text",), "span"),
    "type": (("any",), "kind"),
}
_KINDS = frozenset({"int", "double", "string", "bool", "list", "map", "null_type"})
_COUNTABLE = ("text", "texts", "list", "map", "any")
_ORDERED = frozenset({"<", "<=", ">", ">="})
_DEEPEST_BINDER = 2
_MOST_PATTERNS = 10
_LONGEST_PATTERN = 500
_MOST_REPEATED = 100
_REPEATED = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def mistake_at(at: int, message: str) -> Invalid:
    """A mistake with its place; `at` counts from 0, people from 1."""
    return Invalid(f"at character {at + 1}: {message}")


def check(tree: Node, variables: Mapping[str, Fields], known: References) -> None:
    """Raises Invalid for what cannot be meant, or cannot be evaluated within bounds."""
    found = _Meaning(variables, known, {}).type_of(tree)
    if found not in ("flag", "any"):
        raise mistake_at(tree.start, f"a condition is true or false, and this is {_said(found)}")
    patterns = [n for n in tree.walk() if n.kind == "call" and n.word == "matches"]
    if len(patterns) > _MOST_PATTERNS:
        raise mistake_at(patterns[_MOST_PATTERNS].start, f"more than {_MOST_PATTERNS} patterns")
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
        if not _fits(found, wanted):
            raise mistake_at(node.start, f"{by} wants {_said(wanted)}, and this is {_said(found)}")

    def _field(self, node: Node, path: tuple[str, ...]) -> str:
        first = path[0]
        if first in self.bound:
            return self.bound[first] if len(path) == 1 else "any"
        if first not in self.variables:
            if node.kind == "name" and first in _KINDS:
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
            raise mistake_at(node.start, f"{_said(found)} has no '{node.word}'")
        return "any"

    def _item(self, node: Node) -> str:
        found = self.type_of(node.parts[0])
        if found not in ("any", "map", "list", "texts"):
            raise mistake_at(node.start, f"{_said(found)} has no items")
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
        if not _alike(left, right):
            hint = ""
            if {left, right} == {"moment", "text"}:
                hint = '; write timestamp("2026-11-23T00:00:00Z"), or compare its date(…)'
            elif {left, right} == {"texts", "text"}:
                hint = '; write "…" in …'
            raise mistake_at(
                node.start, f"compares {_said(left)} with {_said(right)}, which is never equal{hint}"
            )
        if node.word in _ORDERED and (unordered := {left, right} & {"flag", "texts", "list", "map", "kind"}):
            words = "true and false" if "flag" in unordered else _said(min(unordered))
            raise mistake_at(node.start, f"'{node.word}' does not order {words}")
        for field, other in (node.parts, node.parts[::-1]):
            self._choice(field, other)
        return "flag"

    def _in(self, node: Node) -> str:
        item, items = (self.type_of(part) for part in node.parts)
        if items == "text":
            raise mistake_at(node.start, "'in' wants a list, and this is text; write ….contains(…)")
        if items not in ("texts", "list", "map", "any"):
            raise mistake_at(node.start, f"'in' wants a list, and this is {_said(items)}")
        if items == "texts" and not _alike(item, "text"):
            raise mistake_at(node.start, f"looks for {_said(item)} among texts, where it never is")
        if node.parts[1].kind == "list":
            for part in node.parts[1].parts:
                self._choice(node.parts[0], part)
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
        raise mistake_at(node.start, f"'{node.word}' does not go with {_said(left)} and {_said(right)}")

    def _choice(self, field: Node, word: Node) -> None:
        """Raises Invalid for a word that the field never is."""
        said = constant(word)
        if not isinstance(said, str) or said == "":
            return
        path = path_of(field)
        name = ".".join(path) if path else ""
        choices: Iterable[str] | None = CHOICES.get(name)
        if name == "lead.source":
            choices = self.known.sources
        elif name in ("workspace.timezone",):
            choices = available_timezones()
        elif field.kind == "call" and not field.method and field.word in FUNCTIONS:
            name, choices = field.word, FUNCTIONS[field.word].choices or None
        if choices is not None and said not in choices:
            raise mistake_at(word.start, f"'{name}' is never '{said}'{nearest(said, choices)}")

    def _call(self, node: Node) -> str:
        if node.method and node.word in BINDERS:
            return self._binder(node)
        if node.word == "has" and not node.method:
            return self._has(node)
        if node.method and node.word in _METHODS:
            on, takes, gives = _METHODS[node.word]
            self._method(node, on, takes)
            return gives
        if not node.method and node.word in _PLAIN:
            takes, gives = _PLAIN[node.word]
            self._takes(node, takes, 0)
            if node.word == "size" and self.type_of(node.parts[0]) not in _COUNTABLE:
                raise mistake_at(node.start, f"{_said(self.type_of(node.parts[0]))} has no size")
            self._readable(node)
            return gives
        if not node.method and node.word in FUNCTIONS:
            function = FUNCTIONS[node.word]
            self._takes(node, function.takes, function.may_omit)
            self._written(node, function)
            return function.gives
        raise mistake_at(node.start, self._no_such(node))

    def _no_such(self, node: Node) -> str:
        if node.method and (node.word in FUNCTIONS or node.word in _PLAIN):
            return f"'{node.word}' is written {node.word}(…), with what it is about in the brackets"
        if not node.method and (node.word in _METHODS or node.word in BINDERS):
            return f"'{node.word}' is written after what it is about: ….{node.word}(…)"
        names = [*_METHODS, *BINDERS] if node.method else [*FUNCTIONS, *_PLAIN, "has"]
        return f"there is no function '{node.word}'{nearest(node.word, names)}"

    def _method(self, node: Node, on: str, takes: tuple[str, ...]) -> None:
        given = node.parts[1:]
        if len(given) != len(takes):
            zone = f"; for a time zone write hour({_said('moment')}, zone)" if on == "moment" else ""
            raise mistake_at(node.start, f"'{node.word}' takes {_so_many(len(takes))}{zone}")
        self._wants(node.parts[0], on, f"'{node.word}'")
        if node.word == "size" and (found := self.type_of(node.parts[0])) not in _COUNTABLE:
            raise mistake_at(node.start, f"{_said(found)} has no size")
        for part, wanted in zip(given, takes, strict=True):
            self._wants(part, wanted, f"'{node.word}'")
        if node.word == "matches":
            _check_pattern(node.parts[1])

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
            raise mistake_at(node.start, f"'{node.word}' wants a list, and this is {_said(items)}")
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

    def _readable(self, node: Node) -> None:
        """Raises Invalid for a literal that no time or length of time can be read from."""
        said = constant(node.parts[0])
        if node.word not in ("timestamp", "duration") or said is None:
            return
        example = "2026-11-23T00:00:00Z" if node.word == "timestamp" else "90m"
        try:
            cel.evaluate(f'{node.word}("{said}")')
        except (ValueError, RuntimeError, TypeError):
            raise mistake_at(
                node.parts[0].start, f"'{said}' is no {node.word}; write, for example, \"{example}\""
            ) from None

    def _written(self, node: Node, function: Function) -> None:
        for place, what in function.written.items():
            if place >= len(node.parts):
                continue
            part = node.parts[place]
            said = constant(part)
            if not isinstance(said, str):
                raise mistake_at(part.start, f"'{function.name}' wants the {what} written out, in quotes")
            if what == "period":
                try:
                    business = duration.parse(said).business
                except Invalid as error:
                    raise mistake_at(part.start, str(error)) from None
                if business:
                    raise mistake_at(part.start, "the period is plain time, such as '30 days'")
                continue
            names = {
                "list": self.known.lists,
                "calendar": self.known.calendars,
                "zone": available_timezones(),
                "event": COUNTED,
            }[what]
            if names is not None and said not in names:
                words = {"zone": "time zone", "event": "event to count"}.get(what, what)
                raise mistake_at(part.start, f"there is no {words} '{said}'{nearest(said, names)}")


def _check_pattern(node: Node) -> None:
    """Raises Invalid for a pattern that is none, or that would be dear to look for."""
    if node.kind != "literal":
        raise mistake_at(node.start, "the pattern of 'matches' is written out, in quotes")
    if len(node.word) > _LONGEST_PATTERN:
        raise mistake_at(node.start, f"a pattern is no longer than {_LONGEST_PATTERN} characters")
    repeated = 1
    for least, most in _REPEATED.findall(node.word):
        repeated *= max(int(most or least), 1)
    if repeated > _MOST_REPEATED:
        raise mistake_at(
            node.start, f"the pattern repeats a part {repeated} times; {_MOST_REPEATED} is the most"
        )
    try:
        cel.evaluate(f'"".matches({node.word})')
    except (ValueError, RuntimeError) as error:
        found = re.search(r"error: (.*?)(?:\. Check|$)", str(error).replace("\n", " "))
        raise mistake_at(
            node.start, f"this is no pattern: {found[1] if found else 'it is not understood'}"
        ) from None


def _literal(node: Node) -> str:
    if node.word in ("true", "false"):
        return "flag"
    if node.word == "null":
        return "null"
    return "text" if node.word[-1] in "\"'" else "number"


def _fits(found: str, wanted: str) -> bool:
    return found == wanted or "any" in (found, wanted)


def _alike(left: str, right: str) -> bool:
    return _fits(left, right) or {left, right} <= {"texts", "list"}


def _said(kind: str) -> str:
    return {
        "texts": "a list of texts",
        "list": "a list",
        "map": "a group of fields",
        "moment": "a moment",
        "span": "a length of time",
        "kind": "a type",
        "flag": "true or false",
        "any": "any value",
        "null": "null",
    }.get(kind, kind)


def _so_many(count: int) -> str:
    return {0: "nothing in its brackets", 1: "1 value"}.get(count, f"{count} values")
