"""In which charset a file is written. Pure."""

from __future__ import annotations

import codecs
import unicodedata

from charset_normalizer import from_bytes

from core.errors import Invalid

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What western programs write where they do not write Unicode.
_LIKELY = "cp1252"
# Where Latin letters are written in another charset than in the west.
_BY_COUNTRY = {
    **dict.fromkeys(("PL", "CZ", "SK", "HU", "HR", "SI", "RO", "BA", "RS", "ME"), "cp1250"),
    "TR": "cp1254",
    **dict.fromkeys(("EE", "LV", "LT"), "cp1257"),
}
_MOST_FOREIGN = 64 * 1024


def charset_of(sample: bytes, country: str) -> str:
    """The charset of a text by its beginning, as Python names it; where letters do not tell, by the country.

    Raises Invalid for what is no text.
    """
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if b"\0" in sample:
        return _wide(sample)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return _foreign(sample, country)
    return "utf-8"


def known_charset(name: str) -> str:
    """The charset that somebody names, as Python does. Raises Invalid for an unknown one."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        raise Invalid(f"there is no charset '{name[:50]}'") from None
    if not found._is_text_encoding or found.name in ("idna", "punycode", "unicode_escape"):
        raise Invalid(f"'{name[:50]}' is no charset of a file")
    return found.name


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark has a zero in every other place; anything else with zeros is no text."""
    half = len(sample) // 2 or 1
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    if even > 0.4 and odd < 0.1:
        return "utf-16-be"
    raise Invalid("the file is no text: there are NUL bytes in it")


def _foreign(sample: bytes, country: str) -> str:
    # Only lines that are not ASCII say anything, and few of them are enough.
    lines = b"\n".join(line for line in sample.splitlines() if not line.isascii())[:_MOST_FOREIGN]
    best = from_bytes(lines).best()
    likely = _BY_COUNTRY.get(country, _LIKELY)
    if best is None or _is_latin(lines, best.encoding):
        return likely  # between charsets of Latin letters only words could tell
    return best.encoding


def _is_latin(lines: bytes, name: str) -> bool:
    letters = [c for c in lines.decode(name, "ignore") if not c.isascii() and c.isalpha()]
    return all(unicodedata.name(c, "").startswith("LATIN") for c in letters)
