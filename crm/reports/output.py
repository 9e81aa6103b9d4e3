"""A report's table as a file: CSV, XLSX, PDF. Text is safe for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from typing import Any

from crm.reports.table import Cell, Column, Table
from crm.spreadsheet import safe

#: Media type by format.
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
_FORMATS = {"money": "#,##0.00", "percent": "0.0", "number": "0", "seconds": "0"}
#: Latin, Greek and Cyrillic letters, of whatever language; SIL Open Font Licence.
_FONT = "NotoSans"
_INVISIBLE = dict.fromkeys((*range(9), 11, 12, *range(14, 32)))


def write(table: Table, form: str) -> bytes:
    """The file in one of the formats of `TYPES`."""
    writers: dict[str, Callable[[Table], bytes]] = {"csv": _csv, "xlsx": _xlsx, "pdf": _pdf}
    return writers[form](table)


def file_name(table: Table, form: str) -> str:
    """What the file is called."""
    days = f"-{table.since}-{table.until}" if table.since else ""
    return f"{table.kind}{days}.{form}"


def period(table: Table) -> str:
    """The days that it is of, in words."""
    return f"{table.since} – {table.until}" if table.since else "Now"


def said(cell: Cell, column: Column) -> str:
    """A cell as people read it."""
    if cell is None:
        return "–"
    if column.kind == "money" and isinstance(cell, Decimal | int):
        return f"{cell:,.2f}"
    if column.kind == "seconds" and isinstance(cell, int):
        return _lasting(cell)
    return str(cell)


def _lasting(seconds: int) -> str:
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _csv(table: Table) -> bytes:
    written = io.StringIO()
    sheet = csv.writer(written, lineterminator="\r\n")
    sheet.writerow([column.key for column in table.columns])
    for row in table.rows:
        sheet.writerow(["" if c is None else safe(c) if isinstance(c, str) else c for c in row])
    # With the mark by which spreadsheets know UTF-8.
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def _xlsx(table: Table) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet(table.kind[:31])
    for place, column in enumerate(table.columns):
        sheet.column_dimensions[chr(65 + place)].width = 28 if column.kind == "text" else 16
    head = []
    for column in table.columns:
        cell = WriteOnlyCell(sheet, value=column.name)
        cell.font = Font(bold=True)
        head.append(cell)
    sheet.append(head)
    for row in table.rows:
        cells = []
        for value, column in zip(row, table.columns, strict=True):
            cell = WriteOnlyCell(sheet, value=_plain(value))
            if column.kind in _FORMATS:
                cell.number_format = _FORMATS[column.kind]
            cells.append(cell)
        sheet.append(cells)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _plain(value: Cell) -> Any:
    return safe(value.translate(_INVISIBLE)) if isinstance(value, str) else value


def _pdf(table: Table) -> bytes:
    from fpdf import FPDF, FontFace

    page = FPDF(orientation="landscape", format="A4")
    # Its bold has to be worked out of the same file, which takes seconds: what stands out is larger, or grey.
    page.add_font(_FONT, fname=str(files("fontpkg_noto_sans") / "files" / "NotoSans[wdth,wght].ttf"))
    font: Any = page.fonts[_FONT.lower()]
    letters = font.cmap

    def shown(text: str) -> str:
        return "".join(c if ord(c) in letters else "?" for c in text)

    page.set_title(shown(table.title))
    page.add_page()
    page.set_font(_FONT, size=15)
    page.cell(text=shown(table.title), new_x="LMARGIN", new_y="NEXT")
    page.set_font(_FONT, size=9)
    about = f"{period(table)}, amounts in {table.currency}"
    page.cell(text=shown(about), new_x="LMARGIN", new_y="NEXT")
    page.ln(4)
    aligned = tuple("LEFT" if c.kind == "text" else "RIGHT" for c in table.columns)
    head = FontFace(emphasis="", fill_color=(233, 236, 241))
    with page.table(text_align=aligned, headings_style=head, line_height=6) as made:
        for row in ([c.name for c in table.columns], *_rows(table)):
            line = made.row()
            for text in row:
                line.cell(shown(text))
    for note in table.notes:
        page.ln(2)
        page.cell(text=shown(note), new_x="LMARGIN", new_y="NEXT")
    return bytes(page.output())


def _rows(table: Table) -> list[list[str]]:
    return [[said(cell, c) for cell, c in zip(row, table.columns, strict=True)] for row in table.rows]
