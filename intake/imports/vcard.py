"""vCards: versions 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350), any number of them in a file. Pure."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from typing import IO

from icalendar.parser import Contentline

from core.errors import Invalid
from intake.imports.row import LONGEST_ROW, Row

#: The columns of a row made of a card.
COLUMNS = (
    "Name", "Email", "Phone", "Company", "Job title", "Note", "Website", "Address", "Birthday", "Categories",
)  # fmt: skip
_FIELDS = {
    "FN": "Name", "EMAIL": "Email", "TEL": "Phone", "ORG": "Company", "TITLE": "Job title", "NOTE": "Note",
    "URL": "Website", "ADR": "Address", "BDAY": "Birthday", "CATEGORIES": "Categories",
}  # fmt: skip
_MANY = frozenset({"Email", "Phone", "Categories"})
_LONGEST_PROPERTY = 64 * 1024
_PARTS = re.compile(r"(?<!\\);")
_COMMAS = re.compile(r"(?<!\\),")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def rows(source: IO[str]) -> Iterator[Row]:
    """One row a card, numbered from 2 as beneath a header. Raises Invalid where there is no card at all."""
    number = 1
    card: dict[str, list[str]] | None = None
    for line in _unfolded(source):
        name, parameters, value = _parts(line)
        if name == "BEGIN" and value.strip().upper() == "VCARD":
            number, card = number + 1, {}
        elif card is None:
            continue
        elif name == "END":
            yield Row(number, tuple(_cell(card, column) for column in COLUMNS))
            card = None
        else:
            _take(card, name, parameters, value)
    if card is not None:
        yield Row(number, (), "the card has no end")
    if number == 1:
        raise Invalid("there is no vCard in the file")


def _unfolded(source: IO[str]) -> Iterator[str]:
    """The properties, each on one line; of one that is too long, such as a picture, only its beginning."""
    held = ""
    while line := source.readline(LONGEST_ROW):
        text = line.rstrip("\r\n")
        quoted = held.endswith("=") and "QUOTED-PRINTABLE" in held.upper()
        if text[:1] in (" ", "\t") or quoted:
            if len(held) < _LONGEST_PROPERTY:
                held = held[:-1] + text.removeprefix(" ") if quoted else held + text[1:]
            continue
        if held:
            yield held
        held = text[:_LONGEST_PROPERTY]
    if held:
        yield held


def _parts(line: str) -> tuple[str, dict[str, str], str]:
    head, _, value = line.partition(":")
    try:
        name, parameters, value = Contentline(line).parts()  # type: ignore[no-untyped-call]
        given = {str(k).upper(): str(v) for k, v in parameters.items()}
    except (ValueError, UnicodeError):
        # Version 2.1 says `TEL;CELL:`, a parameter without a name.
        name, *rest = head.split(";")
        given = {k.upper(): v for k, _, v in (p.partition("=") for p in rest)}
    if given.get("ENCODING", "").upper() == "QUOTED-PRINTABLE" or "QUOTED-PRINTABLE" in given:
        try:
            value = quopri.decodestring(value.encode()).decode(given.get("CHARSET", "utf-8"), "replace")
        except LookupError:
            value = ""
    return name.rsplit(".", 1)[-1].upper(), given, value


def _take(card: dict[str, list[str]], name: str, parameters: dict[str, str], value: str) -> None:
    if name == "N":
        family, given, middle, *_ = [_plain(p) for p in _PARTS.split(value)] + [""] * 3
        card.setdefault("N", []).append(" ".join(p for p in (given, middle, family) if p))
    elif column := _FIELDS.get(name):
        if name == "TEL":
            value = value.removeprefix("tel:").split(";ext=")[0].split(";")[0]
        elif name == "EMAIL":
            value = value.removeprefix("mailto:")
        elif name == "ORG":
            value = _PARTS.split(value)[0]
        elif name == "ADR":
            value = ", ".join(p.strip() for p in _PARTS.split(value) if p.strip())
        values = _COMMAS.split(value) if name == "CATEGORIES" else [value]
        found = [text for v in values if (text := _plain(v))]
        if "PREF" in parameters.get("TYPE", "").upper() or "PREF" in parameters:
            card[column] = [*found, *card.get(column, [])]
        else:
            card.setdefault(column, []).extend(found)


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda m: "\n" if m[1] in "nN" else m[1], text).strip()


def _cell(card: dict[str, list[str]], column: str) -> str | list[str]:
    values = list(dict.fromkeys(card.get(column, [])))
    if column == "Name":
        values = values or card.get("N", [])
    return values if column in _MANY else next(iter(values), "") if column != "Note" else "\n".join(values)
