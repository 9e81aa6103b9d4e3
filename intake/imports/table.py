"""Tables as text: CSV with whatever stands between the cells. Pure."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import IO

from core.errors import Invalid
from intake.imports.row import LONGEST_ROW, MOST_COLUMNS, Row

DELIMITERS = (",", ";", "\t", "|", "^", "~", ":")
_LOOKED_AT = 50
_MOST_LINES = 200
_SEP = "sep="


def delimiter_of(text: str) -> str:
    """What stands between the cells, by the beginning of a file: what divides most rows into as many."""
    first = text.split("\n", 1)[0].strip('\r\ufeff "')
    if first.lower().startswith(_SEP) and len(first) == len(_SEP) + 1:
        return first[-1]
    best, most = ",", 0.0
    lines = text.splitlines()[:_LOOKED_AT]
    for candidate in DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines, delimiter=candidate) if row]
        except csv.Error:
            continue
        if not rows or len(rows[0]) < 2:
            continue
        width = len(rows[0])
        regular = sum(len(row) == width for row in rows) / len(rows)
        score = regular * (1 + min(width, 20) / 100)
        if score > most:
            best, most = candidate, score
    return best


class _Lines:
    """The lines of one record at a time; a record that does not end is cut off."""

    def __init__(self, source: IO[str]) -> None:
        self._source = source
        self._waiting: deque[str] = deque()
        self.taken: list[str] = []
        self._length = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._source.readline(LONGEST_ROW + 1)
        if not line:
            raise StopIteration
        self.taken.append(line)
        self._length += len(line)
        if self._length > LONGEST_ROW or len(self.taken) > _MOST_LINES:
            raise _Overlong
        return line

    def anew(self) -> None:
        self.taken, self._length = [], 0

    def back(self) -> None:
        """Gives back all lines but the first."""
        self._waiting.extendleft(reversed(self.taken[1:]))


class _Overlong(Exception):
    pass


def rows(source: IO[str], delimiter: str) -> Iterator[Row]:
    """The rows of a table, in order; one that is wrongly quoted is told, and the next one is read.

    Raises Invalid for a row of more columns than any table has, and for a line that has no end.
    """
    lines = _Lines(source)
    number = 0
    more = True
    while more:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        more = False
        while True:
            lines.anew()
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except (_Overlong, csv.Error) as error:
                if len(lines.taken) == 1 and isinstance(error, _Overlong):
                    raise Invalid(f"row {number} {_too_much(lines.taken[0], delimiter)}") from None
                yield Row(number, (lines.taken[0].rstrip("\r\n"),) if lines.taken else (), _why(error))
                lines.back()
                more = True
                break
            if number == 1 and len(cells) <= 2 and lines.taken[0].lower().startswith(_SEP):
                continue
            yield _row(number, cells)


def _row(number: int, cells: list[str]) -> Row:
    if len(cells) > MOST_COLUMNS:
        raise Invalid(f"row {number} has {len(cells)} columns; at most {MOST_COLUMNS} are read")
    problem = ""
    if any("\0" in cell for cell in cells):
        problem = "there is a NUL byte in it"
    elif any("\udc80" <= char <= "\udcff" for cell in cells if not cell.isascii() for char in cell):
        problem = "there are bytes in it that are not of the file's charset"
    return Row(number, tuple(cells), problem)


def _too_much(line: str, delimiter: str) -> str:
    if line.count(delimiter) >= MOST_COLUMNS:
        return f"has more than {MOST_COLUMNS} columns"
    return f"is longer than {LONGEST_ROW} characters"


def _why(error: Exception) -> str:
    if isinstance(error, _Overlong) or "unexpected end of data" in str(error):
        return "a quotation mark opens in it that never closes"
    if "expected after" in str(error):
        return "it is wrongly quoted: something follows a closing quotation mark"
    return f"it cannot be read: {error}"
