"""Bytes of a mail as text, whatever it says of its charset: the word is tried, not believed."""

from __future__ import annotations

import codecs

# What writers mean by a name, as browsers read it (WHATWG Encoding, section 4.2): the larger set.
_MEANT = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
# Codecs that are no charset of a mail, and take quadratic time or warn.
_NO_CHARSET = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"})


def text(raw: bytes, charset: str | None = None) -> str:
    """The bytes as they say, or as UTF-8, or as one of these with a few letters lost, or as Windows-1252."""
    names = list(dict.fromkeys(name for name in (_known(charset), "utf-8") if name))
    for name in names:
        try:
            return raw.decode(name)
        except ValueError:
            continue
    for name in names:
        found = raw.decode(name, "replace")
        damaged = found.count("\ufffd")
        if damaged * 4 <= sum(c > "\x7f" for c in found) - damaged:
            return found
    return raw.decode("cp1252", "replace")


def _known(charset: str | None) -> str | None:
    try:
        codec = codecs.lookup(charset) if charset else None
        if codec is None or codec.name in _NO_CHARSET:
            return None
        name = _MEANT.get(codec.name, codec.name)
        b"    ".decode(name, "replace")  # some codecs are not from bytes to text; of nothing they say nothing
    except (LookupError, ValueError):
        return None
    return name
