"""Excel workbooks, read without ever being whole in memory. Pure.

A workbook is a zip of XML, so it may claim to be small and be enormous: what its parts say of their size
is bounded first, and Python's zipfile gives no more of a part than it said.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from core.errors import Invalid
from intake.imports.row import MOST_COLUMNS, MOST_ROWS, Cell, Row

_MOST_UNPACKED = 1024 * 1024 * 1024
# Texts that cells share are held in memory while the sheet is read.
_MOST_SHARED = 128 * 1024 * 1024
_MOST_PARTS = 2_000
_MOST_FOLD = 200
_SMALL = 10 * 1024 * 1024
_DAMAGED = (
    zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, TypeError, IndexError,
    AttributeError, EOFError, zlib.error, NotImplementedError, OSError, RecursionError,
)  # fmt: skip


def check(file: IO[bytes]) -> None:
    """Raises Invalid for what is no workbook, and for one that would be too large unpacked."""
    try:
        with zipfile.ZipFile(file) as packed:
            parts = packed.infolist()
    except _DAMAGED:
        raise Invalid("the file is no Excel workbook, or is damaged") from None
    unpacked = sum(part.file_size for part in parts)
    shared = sum(part.file_size for part in parts if part.filename.lower().endswith("sharedstrings.xml"))
    fold = unpacked / max(1, sum(part.compress_size for part in parts))
    if len(parts) > _MOST_PARTS or unpacked > _MOST_UNPACKED or shared > _MOST_SHARED:
        raise Invalid(f"the workbook would be too large unpacked ({unpacked // 2**20} MiB)")
    if unpacked > _SMALL and fold > _MOST_FOLD:
        raise Invalid(f"the workbook is packed {fold:.0f}-fold, as no table is")


def rows(file: IO[bytes], sheet: str | None = None) -> Iterator[Row]:
    """The rows of a sheet, the first one where none is named.

    Raises Invalid for a sheet that is not there, and for a workbook that is damaged.
    """
    check(file)
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it says of styles and extensions is not about the cells
            yield from _rows(file, sheet)
    except _DAMAGED as error:
        raise Invalid(f"the workbook is damaged: {type(error).__name__}") from None


def _rows(file: IO[bytes], sheet: str | None) -> Iterator[Row]:
    book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    try:
        names = [s.title for s in book.worksheets]
        if not names or (sheet is not None and sheet not in names):
            raise Invalid(f"the workbook has no sheet '{sheet or ''}'; it has {', '.join(names) or 'none'}")
        read: Any = book[sheet or names[0]]
        read.reset_dimensions()  # what the file says of its width is not believed
        for number, cells in enumerate(read.iter_rows(values_only=True), start=1):
            if number > MOST_ROWS + 1:
                raise Invalid(f"the sheet has more than {MOST_ROWS} rows")
            if len(cells) > MOST_COLUMNS and any(c is not None for c in cells[MOST_COLUMNS:]):
                raise Invalid(f"row {number} has {len(cells)} columns; at most {MOST_COLUMNS} are read")
            yield Row(number, tuple(_cell(c) for c in cells[:MOST_COLUMNS]))
    finally:
        book.close()


def _cell(value: object) -> Cell:
    match value:
        case None | bool() | int():
            return value
        case float():
            return int(value) if value.is_integer() and abs(value) < 2**53 else value
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case _:
            text = str(value)
            return None if text.startswith("#") and text in _ERRORS else text


_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"})
