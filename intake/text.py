"""Text from outside, made safe to store: without control characters and broken code points."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without control characters but tab and line feed; lone surrogates become U+FFFD."""
    if text.isprintable():  # nearly always: neither kind of character is printable
        return text
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def one_line(text: str) -> str:
    """The text on one line, its white space folded."""
    return " ".join(clean(text).split())
