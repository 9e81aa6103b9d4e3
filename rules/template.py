"""Templates: text in which `{{ lead.name }}` is replaced, once, by what it names.

Jinja's sandbox does the reading and escaping; of its language only substitution of fields that the
vocabulary knows and a few filters are let through. A value that contains braces stays text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import ChainableUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import Invalid
from rules.vocabulary import Fields, nearest

FILTERS = ("default", "upper", "lower", "title", "capitalize", "trim", "truncate")
_LONGEST = 100_000

_environment = ImmutableSandboxedEnvironment(
    undefined=ChainableUndefined, autoescape=False, finalize=lambda v: "" if v is None else v
)
_environment.filters = {name: _environment.filters[name] for name in FILTERS}
_environment.globals = {}

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Getattr,
    nodes.Name,
    nodes.Filter,
    nodes.Const,
)


def check(text: str, variables: Mapping[str, Fields]) -> None:
    """Raises Invalid, with the line, for anything but substitutions of fields that exist."""
    if len(text) > _LONGEST:
        raise Invalid(f"longer than {_LONGEST} characters")
    try:
        tree = _environment.parse(text)
    except TemplateSyntaxError as error:
        raise Invalid(f"line {error.lineno}: {error.message}") from None
    _check(tree, variables)


def render(text: str, values: Mapping[str, Any]) -> str:
    """The text with its substitutions made; what is missing or empty becomes nothing."""
    return str(_compiled(text).render(values))


@lru_cache(maxsize=2000)
def _compiled(text: str) -> Any:
    return _environment.from_string(text)


def _check(node: nodes.Node, variables: Mapping[str, Fields]) -> None:
    if not isinstance(node, _ALLOWED):
        raise Invalid(f"line {node.lineno}: only fields such as {{{{ lead.name }}}} may stand in a template")
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise Invalid(f"line {node.lineno}: there is no filter '{node.name}'{nearest(node.name, FILTERS)}")
    path = _path(node)
    if path is not None:
        first, *rest = path
        if first not in variables:
            raise Invalid(f"line {node.lineno}: there is no '{first}'{nearest(first, variables)}")
        fields = variables[first]
        if not rest:
            raise Invalid(
                f"line {node.lineno}: '{first}' needs a field, such as '{first}.{next(iter(fields), 'name')}'"
            )
        if rest[0] not in fields:
            raise Invalid(f"line {node.lineno}: '{first}' has no '{rest[0]}'{nearest(rest[0], fields)}")
        if len(rest) > 1 and fields[rest[0]] != "any":
            raise Invalid(f"line {node.lineno}: '{first}.{rest[0]}' has no parts")
        return
    for child in node.iter_child_nodes():
        _check(child, variables)


def _path(node: nodes.Node) -> tuple[str, ...] | None:
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        above = _path(node.node)
        if above is None or node.attr.startswith("_"):
            raise Invalid(f"line {node.lineno}: '{node.attr}' is no field")
        return (*above, node.attr)
    return None
