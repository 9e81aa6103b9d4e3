"""HTML as the text a person would read.

One pass, so that a hostile mail takes no more time than its length: the standard parser needs minutes
for 100 kB of unclosed tags (CVE-2025-6069 is one of several such ways).
"""

from __future__ import annotations

import re
from html import unescape

_SILENT = frozenset({"script", "style", "head", "title", "template", "noscript"})
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "footer"),
        *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre"),
        *("section", "table", "tr", "ul"),
    }
)
#: Where somebody else's words begin and end; they come from us alone, see `readable`.
_QUOTE, _END = "\x01", "\x02"
_APART = frozenset({"td", "th", "option"})
_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # 'a < b' is none
_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9:-]{0,40})")


def readable(html: str) -> str:
    """Blocks on lines of their own, nothing of scripts and styles, at most one empty line in a row.

    What the writer's program has marked as quoted stands behind '> ', as in plain text.
    """
    lines: list[str] = []
    level = 0
    for raw in "".join(_pieces(html.replace(_QUOTE, "").replace(_END, ""))).split("\n"):
        level = max(0, level + raw.count(_QUOTE) - raw.count(_END))
        line = " ".join(raw.replace(_QUOTE, "").replace(_END, "").split())
        lines.append(f"> {line}".rstrip() if level else line)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return re.sub(r"(?:\n>){2,}(?=\n|$)", "\n>", text).strip()


def _pieces(html: str) -> list[str]:
    pieces: list[str] = []
    quotes: list[bool] = []
    closings: dict[str, int] = {}
    lower = html.lower()
    if len(lower) != len(html):  # a letter that grows, such as 'İ', would shift all that follows
        lower = html
    at = 0
    while found := _TAG.search(html, at):
        start = found.start()
        pieces.append(_words(html[at:start]))
        if html.startswith("<!--", start):
            end = html.find("-->", start + 2)  # "<!-->" is one, too
            at = end + 3 if end >= 0 else len(html)
            continue
        at = _tag_end(html, start)
        named = _NAME.match(html, start + 1)
        if named is None:
            continue
        name = named[1].lower()
        if name == "blockquote":
            pieces.append(_mark(html[start : min(at, start + 500)].lower(), quotes))
        elif name in _BLOCKS:
            pieces.append("\n")
        elif name in _APART:
            pieces.append(" ")
        elif name in _SILENT and html[start + 1] != "/":
            end = _next(closings, lower, f"</{name}", at)
            # A head that is not closed ends where the body begins.
            if name == "head" and (body := _next(closings, lower, "<body", at)) >= 0:
                end = body if end < 0 else min(end, body)
            at = end if end >= 0 else len(html)
    pieces.append(_words(html[at:]))
    return pieces


def _mark(tag: str, quotes: list[bool]) -> str:
    """What begins or ends at a blockquote's tag; one that is no quote is only set in."""
    if tag.startswith("</"):
        return f"{_END}\n" if quotes and quotes.pop() else "\n"
    quotes.append("cite" in tag or "quote" in tag.removeprefix("<blockquote"))
    return f"\n{_QUOTE}" if quotes[-1] else "\n"


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", unescape(text)) if text else ""


def _tag_end(html: str, start: int) -> int:
    """Behind the tag's '>', which is not the one inside a quoted value."""
    end = html.find(">", start)
    if end < 0:
        return len(html)
    for quote in ('="', "='"):
        tag = html[start:end]
        if quote in tag and tag.count(quote[1]) % 2:
            closing = html.find(quote[1], end)
            further = html.find(">", closing) if closing >= 0 else -1
            end = further if further >= 0 else end
    return end + 1


def _next(known: dict[str, int], html: str, what: str, at: int) -> int:
    """Where `what` is found from `at` on, or -1; the last answer is kept, as many ask for the same."""
    if what not in known or 0 <= known[what] < at:
        known[what] = html.find(what, at)
    return known[what]
