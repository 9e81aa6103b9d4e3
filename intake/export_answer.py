"""An export as an answer: sent while it is made, or, a workbook, from a file that goes with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from flask import Response

from crm import exporting

_CHUNK = 1 << 16
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def answered(name: str, form: str, names: list[str], rows: exporting.Rows) -> Response:
    """The rows in this form, `csv`, `xlsx` or `json`. `name` is ours."""
    content: Iterator[bytes]
    if form == "xlsx":
        content = _book(names, rows)
    else:
        lines = exporting.as_csv(names, rows) if form == "csv" else exporting.as_json(names, rows)
        content = (line.encode("utf-8", "replace") for line in lines)
    answer = Response(content, content_type=_TYPES[form])
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _book(names: list[str], rows: exporting.Rows) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory(prefix="portaria-") as folder:
        file = Path(folder) / "export.xlsx"
        exporting.as_xlsx(names, rows, file)
        with file.open("rb") as book:
            while chunk := book.read(_CHUNK):
                yield chunk
