"""A file, whatever it is: recognised by its content, and read row by row. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import IO, Any, Self

from core.errors import Invalid
from intake.imports import charset, table
from intake.imports.row import Row

_SAMPLE = 1024 * 1024
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
#: So many rows beneath the header are looked at to understand the columns.
LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read: `kind` is csv, xlsx or vcard."""

    kind: str
    charset: str = ""
    delimiter: str = ""
    sheet: str | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """What `stored` has made."""
        return cls(**values)

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def recognise(
    file: IO[bytes],
    *,
    delimiter: str | None = None,
    charset_name: str | None = None,
    sheet: str | None = None,
    country: str = "",
) -> Reading:
    """How the file is to be read, where nothing is said by its content. Raises Invalid."""
    file.seek(0)
    sample = file.read(_SAMPLE)
    if not sample.strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe"):
        raise Invalid("the file is empty")
    if sample.startswith(_ZIP):
        from intake.imports import workbook  # costs a tenth of a worker's start, and is seldom needed

        workbook.check(file)
        return Reading("xlsx", sheet=sheet)
    if sample.startswith(_OLD_EXCEL):
        raise Invalid("this is a workbook of Excel before 2007, or an encrypted one: save it as .xlsx or CSV")
    name = charset.known_charset(charset_name) if charset_name else charset.charset_of(sample, country)
    text = sample.decode(name, "replace").lstrip("\ufeff \t\r\n")
    if text[:11].upper() == "BEGIN:VCARD":
        return Reading("vcard", charset=name)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise Invalid("a delimiter is one character")
    return Reading("csv", charset=name, delimiter=delimiter or table.delimiter_of(text))


def rows(file: IO[bytes], reading: Reading) -> Iterator[Row]:
    """All rows that are not empty, the header first; a file of cards has one made for it. Raises Invalid."""
    file.seek(0)
    found = _rows(file, reading)
    return (row for row in found if not row.empty)


def _rows(file: IO[bytes], reading: Reading) -> Iterator[Row]:
    if reading.kind == "xlsx":
        from intake.imports import workbook

        yield from workbook.rows(file, reading.sheet)
        return
    errors = "surrogateescape" if reading.charset in ("utf-8", "utf-8-sig") else "replace"
    text = io.TextIOWrapper(file, encoding=reading.charset, errors=errors, newline="")
    try:
        if reading.kind == "vcard":
            from intake.imports import vcard

            yield Row(1, vcard.COLUMNS)
            yield from vcard.rows(text)
        else:
            yield from table.rows(text, reading.delimiter)
    except UnicodeError:
        raise Invalid(f"the file is not written in {reading.charset} all through") from None
    finally:
        text.detach()


def beginning(file: IO[bytes], reading: Reading) -> list[Row]:
    """The header and the first rows beneath it.

    Raises Invalid where there are none.
    """
    found = list(islice(rows(file, reading), LOOKED_AT + 1))
    if not found:
        raise Invalid("there is nothing in the file")
    if found[0].problem:
        raise Invalid(f"the header cannot be read: {found[0].problem}")
    return found
