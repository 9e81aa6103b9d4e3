"""Where in a template's HTML a value may stand: escaping alone does not make every place safe. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from core.errors import Invalid

#: Attributes whose value is an address: who fills in the whole of it says what is done by a click.
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "background", "poster", "cite", "data"})
_HARMLESS_START = re.compile(r"(https?://[^/?#{]+[/?#]|mailto:|tel:|cid:|[/?#])", re.IGNORECASE)
_PLACE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_UNQUOTED = re.compile(r"<[a-z][^<>]*=\s*[^\s\"'<>]*\{\{", re.IGNORECASE)
_IN_TAG = re.compile(r"<(/?[a-z!?][^<>\"']*|/?)\{\{", re.IGNORECASE)
_RUNNING = frozenset({"script", "style", "iframe", "object", "embed", "form", "base", "meta", "svg", "math"})


def check(text: str) -> None:
    """Raises Invalid for a value where it could be more than text, and for what no mail reader runs."""
    if _UNQUOTED.search(text):
        raise Invalid('a value inside an attribute stands in quotes, such as alt="{{ lead.name }}"')
    if _IN_TAG.search(text):
        raise Invalid(
            "a value may stand in text or inside quotes, not as the name of an element or attribute"
        )
    # A filter's options hold quotes of their own, so each value is one plain word here.
    reader = _Reader()
    reader.feed(_PLACE.sub("{{}}", text))
    reader.close()


class _Reader(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _RUNNING and tag != "style":
            raise Invalid(f"line {self.getpos()[0]}: <{tag}> has no place in a mail")
        for name, value in attrs:
            if name.startswith("on"):
                raise Invalid(f"line {self.getpos()[0]}: '{name}' has no place in a mail")
            if not value:
                continue
            if name in _ADDRESSES and not _is_address(value):
                raise Invalid(
                    f"line {self.getpos()[0]}: an address in '{name}' begins with https://, a host and a"
                    " slash, or with mailto: or tel:, before any value"
                )
            if "{{" in value and name in ("style", "srcset"):
                raise Invalid(f"line {self.getpos()[0]}: no value may stand in '{name}'")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None and "{{" in data:
            raise Invalid(f"line {self.getpos()[0]}: no value may stand in <{self.cdata_elem}>")

    def handle_comment(self, data: str) -> None:
        if "{{" in data:
            raise Invalid(f"line {self.getpos()[0]}: no value may stand in a comment")


def _is_address(value: str) -> bool:
    value = value.strip()
    if "{{" not in value:
        return re.match(r"(https?:|mailto:|tel:|cid:|[/?#])", value, re.IGNORECASE) is not None
    return _HARMLESS_START.match(value) is not None
