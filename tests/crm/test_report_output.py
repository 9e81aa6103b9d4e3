"""Reports as files: what a reader of PDF is told of the letters in one."""

from __future__ import annotations

import re
import zlib

from crm.reports import output
from crm.reports.table import Column, Table


def letters(pdf: bytes) -> set[str]:
    """What the PDF's own fonts can be read back as (ISO 32000-1, 9.10.3)."""
    found: set[str] = set()
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            text = zlib.decompress(stream).decode("latin-1")
        except zlib.error:
            text = stream.decode("latin-1")
        if "beginbfchar" in text or "beginbfrange" in text:
            for code in re.findall(r"<[0-9A-Fa-f]+>\s+<([0-9A-Fa-f]{4})>", text):
                found.add(chr(int(code, 16)))
    return found


def test_a_pdf_shows_polish_greek_and_cyrillic_names_and_marks_what_it_cannot() -> None:
    names = ["Zażółć gęślą jaźń", "Ελληνικά Ώρα", "Кириллица ёж", "São Paulo – Füße", "日本"]
    columns = [Column("owner", "Właściciel", "text"), Column("leads", "Leads", "number")]
    table = Table(
        kind="leads",
        title="Лиды",
        columns=columns,
        rows=[[name, 1] for name in names],
        since=None,
        until=None,
        currency="PLN",
        bar="leads",
    )
    shown = letters(output.write(table, "pdf"))
    wanted = set("".join([*names[:4], "Właściciel", "Лиды"])) - {" "}
    assert wanted <= shown, wanted - shown
    assert "日" not in shown
    assert "?" in shown
