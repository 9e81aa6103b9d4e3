"""Where in a template's HTML a value may stand: escaping alone does not make every place safe. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from core.errors import Invalid

#: Attributes whose value is an address: who fills in the whole of it says what is done by a click.
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "background", "poster", "cite", "data"})
_HARMLESS_START = re.compile(r"(https?://[^/?#{]+[/?#]|mailto:|tel:|cid:|[/?#])", re.IGNORECASE)
_PLACE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TAG = re.compile(r"<[a-z/!?]|<(?=\{\{)", re.IGNORECASE)
_RUNNING = frozenset({"script", "style", "iframe", "object", "embed", "form", "base", "meta", "svg", "math"})


def check(text: str) -> None:
    """Raises Invalid for a value where it could be more than text, and for what no mail reader runs."""
    # A filter's options hold quotes of their own, so each value is one plain word here.
    plain = _PLACE.sub("{{}}", text)
    if _stands_bare(plain):
        raise Invalid('a value stands in text, or in an attribute in quotes, such as alt="{{ lead.name }}"')
    reader = _Reader()
    reader.feed(plain)
    reader.close()


def _stands_bare(text: str) -> bool:
    """Whether a value stands inside of a tag and outside of quotes. Quotes count only behind an '='."""
    at = 0
    while (found := _TAG.search(text, at)) is not None:
        at = found.end()
        before = ""
        while at < len(text) and text[at] != ">":
            if text.startswith("{{", at):
                return not text.startswith("<!--", found.start())  # comments are looked at by the reader
            if text[at] in "\"'" and before == "=":
                end = text.find(text[at], at + 1)
                at = len(text) if end < 0 else end
            before = before if text[at : at + 1].isspace() else text[at : at + 1]
            at += 1
    return False


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
