"""A row and its columns as what a lead needs; what does not fit is said, and the row is left out. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from crm.contact_points import email_address, phone_number
from crm.entry import LONGEST, Entry
from crm.written import Custom, moment
from intake.forms import names
from intake.imports.columns import FIELD, IGNORED, Column
from intake.imports.headers import status_of
from intake.imports.row import Cell, Row
from intake.text import clean, one_line

_LONGEST_VALUE = 10_000
_MOST_TAGS = 50
_YES = frozenset({"yes", "true", "1", "y", "x", "sim", "si", "sí", "ja", "oui"})
_NO = frozenset({"no", "false", "0", "n", "não", "nao", "nein", "non", ""})
_NUMBERS = re.compile(r"\s*(?:[;,\n]|\s/\s)\s*")
# A spreadsheet's way to say 'this is text', and how our own exports keep it from being a formula.
_QUOTED = re.compile(r"^'(?=[=+\-@\t\r\s])")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file comes from: how its numbers are dialled, its clocks go and its days are written."""

    country: str
    zone: ZoneInfo
    locale: str = ""

    @property
    def custom(self) -> Custom:
        """How days are written there."""
        return Custom.of(self.zone, locale=self.locale, country=self.country)


def read(row: Row, columns: Sequence[Column], place: Place, what: str = "lead") -> Entry:
    """What the row says; with a problem it is not to be brought in."""
    entry = Entry(row.number)
    if row.problem:
        entry.problems.append(row.problem)
        return entry
    if len(row.cells) > len(columns) and any(c not in (None, "") for c in row.cells[len(columns) :]):
        entry.problems.append(f"it has {len(row.cells)} cells beneath {len(columns)} columns")
        return entry
    for column, cell in zip(columns, row.cells, strict=False):
        if column.target != IGNORED and cell not in (None, "", []):
            _put(entry, column, cell, place)
    if what in ("company", "deal", "product"):
        called = "title" if what == "deal" else "name"
        if not entry.own.get(called) and not entry.problems:
            entry.problems.append(f"there is no {called} in it")
    elif not (entry.emails or entry.phones or entry.name or entry.problems):
        entry.problems.append("there is no name, no e-mail address and no telephone number in it")
    return entry


def _put(entry: Entry, column: Column, cell: Cell, place: Place) -> None:
    text = _text(cell)
    if not text:
        return
    match column.target:
        case "email":
            values = cell if isinstance(cell, list) else _addresses(text)
            _points(entry.emails, [(v, email_address(v)) for v in values], entry, column, "no e-mail address")
        case "phone":
            values = cell if isinstance(cell, list) else [v for v in _NUMBERS.split(text) if v]
            found = [(v, phone_number(v, place.country)) for v in values]
            _points(entry.phones, found, entry, column, "no telephone number")
        case "message":
            before = entry.own.get("message", "")
            entry.own["message"] = (f"{before}\n{text}" if before else text)[: LONGEST["message"]]
        case "name" | "first_name" | "last_name" | "company" | "title" as own:
            longest = LONGEST.get(own, LONGEST["name"])
            if len(one_line(text)) > longest:
                entry.problems.append(f"{column.header}: is longer than {longest} characters")
            entry.own.setdefault(own, one_line(text)[:longest])
        case "tags":
            tags = cell if isinstance(cell, list) else re.split(r"[,;|]", text)
            kept = [t for tag in tags if (t := one_line(tag)[:100])]
            entry.tags = list(dict.fromkeys([*entry.tags, *kept]))[:_MOST_TAGS]
        case "status":
            # Whether it is one of the workspace's own is found by who knows the workspace.
            entry.status, entry.status_word = status_of(text), one_line(text)[:100]
        case "owner":
            entry.owner = text[:320]
        case "score":
            if re.fullmatch(r"-?\d{1,9}", text):
                entry.score = int(text)
            else:
                _wrong(entry, column, text, "no whole number")
        case "created_at":
            entry.created_at = moment(text, place.custom)
            if entry.created_at is None:
                _wrong(entry, column, text, "no day or moment that can be understood: write 2026-01-31 09:00")
        case "consent":
            word = text.casefold()
            entry.consent = word in _YES
            if word not in _YES and word not in _NO:
                _wrong(entry, column, text, "neither yes nor no")
        case target if target in names.ATTRIBUTION:
            entry.attribution[target] = text[:2000]
        case target if not target.startswith(FIELD):
            if len(text) > _LONGEST_VALUE:
                entry.problems.append(f"{column.header}: is longer than {_LONGEST_VALUE} characters")
            entry.own.setdefault(target, clean(text)[:_LONGEST_VALUE])
        case target:
            if len(text) > _LONGEST_VALUE:
                entry.problems.append(f"{column.header}: is longer than {_LONGEST_VALUE} characters")
            entry.fields[target.removeprefix(FIELD)] = _value(cell, text, column)


def _addresses(text: str) -> list[str]:
    parts = [p for p in re.split(r"[;,]", text) if p.strip()]
    by_blanks = text.replace(";", " ").replace(",", " ").split()
    return by_blanks if all("@" in p for p in by_blanks) else [p.strip() for p in parts]


def _points(
    into: list[str], found: Sequence[tuple[str, str | None]], entry: Entry, column: Column, words: str
) -> None:
    for written, point in found:
        if point is None:
            _wrong(entry, column, written, words)
        elif point not in into:
            into.append(point)


def _wrong(entry: Entry, column: Column, text: str, words: str) -> None:
    entry.problems.append(f"{column.header}: '{one_line(text)[:60]}' is {words}")


def _text(cell: Cell) -> str:
    text = "\n".join(cell) if isinstance(cell, list) else str(cell)
    return _QUOTED.sub("", clean(text).strip())


def _value(cell: Cell, text: str, column: Column) -> Any:
    if isinstance(cell, list):
        return [clean(v) for v in cell]
    if isinstance(cell, bool | int | float):
        return cell
    if not column.numeric:
        return text
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
