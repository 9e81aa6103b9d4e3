"""Text for spreadsheets, which take some of it for formulas. Pure.

Excel and its kin evaluate a cell that begins with `=`, `+`, `-` or `@`, some after blanks, control characters
or marks that nobody sees, some written in full width. Such text is given an apostrophe, which says 'text'.
Source: OWASP, CSV Injection.
"""

from __future__ import annotations

import re
import unicodedata

_STARTERS = frozenset("=+-@|%")
# A telephone number in E.164 is a number wherever it is read, and never a formula.
_NUMBER = re.compile(r"\+[1-9]\d{5,14}")
# Marks (Mn), formats (Cf), controls (Cc), separators (Z): what may stand before without being seen.
_UNSEEN = ("C", "Z", "M")


def safe(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet could take it for a formula."""
    if not text or _NUMBER.fullmatch(text):
        return text
    if text[0] in "\t\r\n":
        return f"'{text}"
    for char in text:
        if unicodedata.category(char)[0] in _UNSEEN:
            continue
        return f"'{text}" if unicodedata.normalize("NFKC", char)[:1] in _STARTERS else text
    return text
