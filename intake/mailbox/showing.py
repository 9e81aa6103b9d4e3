"""A mail as it was set, made safe to show: cleaned, with its own pictures inside and none from elsewhere.

What comes out still belongs into a frame that may do nothing, see the console's `mails`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import nh3

from intake.mailbox.message import Attachment, MailMessage, read

#: Longer HTML is cut: nobody reads it, and cleaning must end.
_LONGEST = 1_000_000
#: What the pictures inside may come to; they are put into the page.
_MOST_PICTURES = 8_000_000
#: So deep nobody sets a mail; what is deeper is shown as text.
_DEEPEST = 400
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_TAGS = frozenset(
    {
        *("a", "abbr", "b", "blockquote", "br", "caption", "center", "code", "col", "colgroup", "dd", "del"),
        *("div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "li"),
        *(
            "ol",
            "p",
            "pre",
            "q",
            "s",
            "small",
            "span",
            "strike",
            "strong",
            "sub",
            "sup",
            "table",
            "tbody",
            "td",
        ),
        *("tfoot", "th", "thead", "tr", "tt", "u", "ul"),
    }
)
_SILENT = frozenset({"script", "style", "title", "template", "noscript", "iframe", "object"})
_SIZES = frozenset({"align", "valign", "width", "height", "bgcolor", "border", "cellpadding", "cellspacing"})
_ATTRIBUTES = {
    "*": {"style", "dir", "lang", "title", *_SIZES},
    "a": {"href", "name"},
    "img": {"src", "alt"},
    "font": {"color", "face", "size"},
    **{cell: {"colspan", "rowspan"} for cell in ("td", "th")},
    "ol": {"start", "type"},
}
_STYLES = frozenset(
    {
        *("background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left"),
        *(
            "border-radius",
            "border-right",
            "border-spacing",
            "border-style",
            "border-top",
            "border-width",
            "color",
        ),
        *(
            "direction",
            "font",
            "font-family",
            "font-size",
            "font-style",
            "font-weight",
            "height",
            "letter-spacing",
        ),
        *("line-height", "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right"),
        *(
            "margin-top",
            "max-width",
            "min-width",
            "padding",
            "padding-bottom",
            "padding-left",
            "padding-right",
        ),
        *("padding-top", "text-align", "text-decoration", "text-indent", "text-transform", "vertical-align"),
        *("white-space", "width", "word-break", "word-spacing"),
    }
)
_OWN_PICTURE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_LINKS = ("http://", "https://", "mailto:", "tel:")


@dataclass(slots=True)
class Shown:
    """The mail, and its HTML made safe ('' where it is only text).

    `left_out` is how many pictures from elsewhere were left out.
    """

    mail: MailMessage
    html: str = field(default="", repr=False)
    left_out: int = 0


def shown(raw: bytes, *, pictures: bool = False) -> Shown:
    """The mail to show, with `pictures` from elsewhere only where asked for. Raises Unreadable."""
    mail = read(raw)
    found = Shown(mail)
    if mail.html and not _too_deep(mail.html[:_LONGEST]):
        found.html = nh3.clean(
            mail.html[:_LONGEST],
            tags=set(_TAGS),
            clean_content_tags=set(_SILENT),
            attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
            attribute_filter=_filter(found, _pictures(mail), pictures=pictures),
            url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
            filter_style_properties=set(_STYLES),
            link_rel="noopener noreferrer nofollow",
            set_tag_attribute_values={"a": {"target": "_blank"}},
        )
    return found


def _too_deep(html: str) -> bool:
    """Whether so many elements are open at once that a browser, or we, would suffer."""
    depth = deepest = 0
    for found in re.finditer(r"<(/?)(?!(?:br|img|hr|meta|link|input|col|wbr|o:p)\b)[A-Za-z]", html):
        depth = max(0, depth + (-1 if found[1] else 1))
        deepest = max(deepest, depth)
    # Paragraphs and cells are often not closed.
    return deepest > _DEEPEST + html.lower().count("<p") + html.lower().count("<li")


def _pictures(mail: MailMessage) -> Mapping[str, str]:
    """The mail's own pictures by their Content-ID, as addresses that hold them."""
    found: dict[str, str] = {}
    size = 0
    for one in mail.attachments:
        kind = _kind(one)
        size += one.size
        if one.content_id and kind and size <= _MOST_PICTURES:
            found[one.content_id.lower()] = f"data:{kind};base64,{base64.b64encode(one.content).decode()}"
    return found


def _kind(one: Attachment) -> str:
    if one.content[:4] == b"RIFF" and one.content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _KINDS.items() if one.content.startswith(start)), "")


def _filter(found: Shown, own: Mapping[str, str], *, pictures: bool) -> Callable[[str, str, str], str | None]:
    def fits(tag: str, name: str, value: str) -> str | None:
        low = value.strip().lower()
        if name == "style":
            return None if "url(" in low or "\\" in low or "expression" in low else value
        if name == "href":
            return value if low.startswith(_LINKS) else None
        if name != "src":
            return value
        if low.startswith("cid:"):
            return own.get(low.removeprefix("cid:"))
        if low.startswith("data:"):
            return value if _OWN_PICTURE.fullmatch(value.strip()) else None
        if low.startswith(("http://", "https://")) and not pictures:
            found.left_out += 1
            return None
        return value if low.startswith(("http://", "https://")) else None

    return fits
