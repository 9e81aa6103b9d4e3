"""What the CEL library itself can do: of its functions those that it really has; and how types go together.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Look through a list: `lead.tags.exists(tag, tag == "vip")`.
BINDERS = frozenset({"exists", "all", "filter", "map", "exists_one"})
#: Written after what they are about: its type, the types they take, what they give.
METHODS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
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
#: Written before it: the types they take, what they give.
PLAIN: Mapping[str, tuple[tuple[str, ...], str]] = {
    "size": (("any",), "number"),
    "int": (("any",), "number"),
    "double": (("any",), "number"),
    "string": (("any",), "text"),
    "timestamp": (("any",), "moment"),
    "duration": (("text",), "span"),
    "type": (("any",), "kind"),
}
#: What `type(x)` can be compared with.
KINDS = frozenset({"int", "double", "string", "bool", "list", "map", "null_type"})

#: What people look for that is not there, and what to write in its place.
INSTEAD: Mapping[str, str] = {
    "max": "write a > b ? a : b",
    "min": "write a < b ? a : b",
    "bool": 'compare it, as in x == "true"',
    "lower": "write fold(…)",
    "lowerAscii": "write fold(…)",
    "includes": "write contains",
    "today": "write date(now())",
    "len": "write size(…)",
}


def fits(found: str, wanted: str) -> bool:
    """Whether a value of one type may be taken where another is wanted."""
    return found == wanted or "any" in (found, wanted)


def alike(left: str, right: str) -> bool:
    """Whether values of two types can be equal."""
    return fits(left, right) or {left, right} <= {"texts", "list"}


def in_words(kind: str) -> str:
    """A type as people read it."""
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
