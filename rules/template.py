"""Templates: text in which `{{ lead.name }}` is replaced, once, by what it names.

Jinja's sandbox does the reading and escaping; of its language only substitution of fields that the
vocabulary knows and a few filters are let through. A value that contains braces stays text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import Invalid
from rules import markup
from rules.vocabulary import Fields, nearest

_LONGEST = 100_000


def _made(*, html: bool) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        undefined=ChainableUndefined, autoescape=html, finalize=lambda v: "" if v is None else v
    )


_environment, _html_environment = _made(html=False), _made(html=True)


def _tolerant(work: Callable[..., Any]) -> Callable[..., Any]:
    """The filter as a text's: what is missing or empty stays nothing, a number is its digits."""

    def filtered(value: Any, *options: Any, **named: Any) -> str:
        text = "" if _is_empty(value) else str(value)
        return str(work(text, *options, **named)) if text else ""

    return filtered


def _truncated(text: str, length: int = 255) -> str:
    """At most so many characters, cut between words where one ends near enough."""
    if len(text) <= length:
        return text
    kept = text[: max(length - 1, 0)]
    at_word = kept.rsplit(" ", 1)[0]
    return (at_word if len(at_word) * 2 > len(kept) else kept).rstrip() + "…"


def _default(value: Any, instead: Any = "", boolean: bool = True) -> Any:
    """What is empty is always replaced, as Jinja does where its `boolean` is true."""
    return instead if _is_empty(value) else value


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or isinstance(value, Undefined)


_environment.filters = {
    "default": _default,
    "upper": _tolerant(str.upper),
    "lower": _tolerant(str.lower),
    "title": _tolerant(str.title),
    "capitalize": _tolerant(str.capitalize),
    "trim": _tolerant(str.strip),
    "truncate": _tolerant(_truncated),
}
FILTERS = tuple(_environment.filters)
_html_environment.filters = _environment.filters
_environment.globals = _html_environment.globals = {}

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
    """The text with its substitutions made; what is missing or empty becomes nothing.

    Raises Invalid where a filter cannot do what it is asked.
    """
    return _rendered(_compiled(text), values)


def _rendered(compiled: Template, values: Mapping[str, Any]) -> str:
    try:
        return str(compiled.render(values))
    except Exception as error:  # noqa: BLE001  what the library and its filters raise is theirs to choose
        raise Invalid(f"the template cannot be filled in: {error or type(error).__name__}") from None


def check_html(text: str, variables: Mapping[str, Fields]) -> None:
    """As `check`, for HTML: a value stands in text, or in quotes inside an attribute that runs nothing."""
    check(text, variables)
    markup.check(text)


def render_html(text: str, values: Mapping[str, Any]) -> str:
    """As `render`, for HTML: values are escaped."""
    return _rendered(_compiled_html(text), values)


def check_all(document: Any, variables: Mapping[str, Fields]) -> None:
    """Checks every text anywhere in a document of dicts, lists and texts."""
    if isinstance(document, str):
        check(document, variables)
    for inner in (
        document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    ):
        check_all(inner, variables)


def fill(document: Any, values: Mapping[str, Any]) -> Any:
    """The document with every text in it filled in."""
    if isinstance(document, str):
        return render(document, values)
    if isinstance(document, dict):
        return {name: fill(inner, values) for name, inner in document.items()}
    if isinstance(document, list):
        return [fill(inner, values) for inner in document]
    return document


@lru_cache(maxsize=2000)
def _compiled(text: str) -> Template:
    return _environment.from_string(text)


@lru_cache(maxsize=500)
def _compiled_html(text: str) -> Template:
    return _html_environment.from_string(text)


def _check_options(node: nodes.Filter) -> None:
    """Raises Invalid for options that the filter does not take, by trying them."""
    options = [o.value if isinstance(o, nodes.Const) else "x" for o in node.args or ()]
    named = {str(o.key): o.value.value for o in node.kwargs or () if isinstance(o.value, nodes.Const)}
    try:
        _environment.filters[node.name]("x", *options, **named)
    except (TypeError, ValueError, AttributeError):
        raise Invalid(f"line {node.lineno}: '{node.name}' does not take these options") from None


def _check(node: nodes.Node, variables: Mapping[str, Fields]) -> None:
    if not isinstance(node, _ALLOWED):
        raise Invalid(f"line {node.lineno}: only fields such as {{{{ lead.name }}}} may stand in a template")
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise Invalid(f"line {node.lineno}: there is no filter '{node.name}'{nearest(node.name, FILTERS)}")
    if isinstance(node, nodes.Filter):
        _check_options(node)
    path = _path(node)
    if path is not None:
        first, *rest = path
        if first not in variables:
            raise Invalid(f"line {node.lineno}: there is no '{first}'{nearest(first, variables)}")
        fields = variables[first]
        if "*" in fields:
            return
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
