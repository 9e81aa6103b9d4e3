"""Files of any kind are read row by row; what cannot be read is said in words."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openpyxl import Workbook

from core.errors import Invalid
from intake.imports import columns, entry, reading
from intake.imports import workbook as workbooks
from intake.imports.entry import Place
from intake.imports.row import Row

HERE = Place("BR", ZoneInfo("America/Sao_Paulo"))
TABLE = [["Nome", "E-mail"], ["João Müller", "joao@client.test"], ["Zoë, Ltda", "zoe@client.test"]]


def read(content: bytes, **options: Any) -> tuple[reading.Reading, list[Row]]:
    file = io.BytesIO(content)
    how = reading.recognise(file, **options)
    return how, list(reading.rows(file, how))


def written(delimiter: str, charset: str) -> bytes:
    def quoted(cell: str) -> str:
        return f'"{cell}"' if delimiter in cell else cell

    return "\r\n".join(delimiter.join(map(quoted, row)) for row in TABLE).encode(charset)


def workbook(*rows: list[Any], sheet: str = "Leads") -> bytes:
    book = Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    into = io.BytesIO()
    book.save(into)
    return into.getvalue()


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^"])
def test_any_delimiter_in_any_charset(delimiter: str, charset: str) -> None:
    how, rows = read(written(delimiter, charset))
    assert how.delimiter == delimiter
    assert [list(row.cells) for row in rows] == TABLE


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("имя;почта\nМария Иванова;maria@client.test\nАнна Петрова;anna@client.test\n", "cp1251"),
        (
            "名前,メール\n山田太郎さんのお問い合わせ,yamada@client.test\n鈴木花子です,suzuki@client.test\n",
            "shift_jis",
        ),
        ("Όνομα;mail\nΓιώργος Παπαδόπουλος;g@client.test\nΜαρία Νικολάου;m@client.test\n", "cp1253"),
    ],
)
def test_other_alphabets_are_told_by_their_letters(text: str, charset: str) -> None:
    _, rows = read(text.encode(charset))
    assert [str(row.cells[0]) for row in rows] == [
        line[: len(str(r.cells[0]))] for line, r in zip(text.splitlines(), rows, strict=True)
    ]


def test_a_workbook_keeps_numbers_and_days() -> None:
    content = workbook(
        ["Name", "Staff", "Since", "Share"],
        ["Ana", 200, datetime(2026, 1, 31, 9, 0), 0.5],  # noqa: DTZ001  a workbook knows no zones
        [None],
        ["Bia", 3.0],
    )
    how, rows = read(content)
    assert how.kind == "xlsx"
    assert [row.cells for row in rows] == [
        ("Name", "Staff", "Since", "Share"), ("Ana", 200, "2026-01-31T09:00:00", 0.5), ("Bia", 3),
    ]  # fmt: skip
    assert [row.number for row in rows] == [1, 2, 4]
    with pytest.raises(Invalid, match="no sheet 'Other'; it has Leads"):
        read(content, sheet="Other")


def test_cards_of_three_versions() -> None:
    cards = (
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ana Müller\r\nitem1.EMAIL;TYPE=home:home@a.test\r\n"
        "EMAIL;PREF=1:ana@a.test\r\nTEL;VALUE=uri:tel:+55-11-98765-4321\r\nORG:Padaria\\, Ltda;Sales\r\n"
        "NOTE:one\\ntwo\r\nPHOTO;ENCODING=b:" + "A" * 200_000 + "\r\nCATEGORIES:vip,old\r\nEND:VCARD\r\n"
        "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6=\n rg\n"
        "TEL;CELL:+4915112345678\nEND:VCARD\nBEGIN:VCARD\nFN:Open"
    )
    _, (head, ana, joerg, cut) = read(cards.encode())
    told = dict(zip(head.cells, ana.cells, strict=True))
    assert told["Email"] == ["ana@a.test", "home@a.test"]
    assert (told["Name"], told["Phone"], told["Company"]) == (
        "Ana Müller",
        ["+55-11-98765-4321"],
        "Padaria, Ltda",
    )
    assert (told["Note"], told["Categories"]) == ("one\ntwo", ["vip", "old"])
    assert joerg.cells[0] == "Jörg Müller"
    assert cut.problem == "the card has no end"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf \r\n\n", "the file is empty"),
        (b"name,email\nx\0y,a@b.test\n", "NUL bytes"),
        (b"%PDF-1.4\n\0\0\0\x01", "NUL bytes"),
        (b"PK\x03\x04 no zip", "no Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "before 2007"),
        (b",".join([b"a"] * 1_000_000), "more than 500 columns"),
        (b"a,b\n" + b"x" * 300_000, "longer than"),
        (b"BEGIN:VCARD", "in it|no end"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_is_no_table_is_refused_in_words(content: bytes, words: str) -> None:
    try:
        _, rows = read(content)
    except Invalid as error:
        found = str(error)
    else:
        found = rows[-1].problem
    assert re.search(words, found), found


def test_a_row_that_is_wrongly_quoted_costs_itself_only() -> None:
    _, rows = read(b'name,email\n"A "q" b",a@b.test\nfine,c@d.test\n"open,e@f.test\nlast,g@h.test\n')
    assert [row.problem[:30] for row in rows] == [
        "",
        "it is wrongly quoted: somethin",
        "",
        "a quotation mark opens in it t",
        "",
    ]
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]


def test_a_row_with_other_bytes_than_the_file_s_charset_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SAMPLE", 1000)
    content = b"name,email\n" + b"x,a@b.test\n" * 200 + "Jo\xe3o,j@b.test\n".encode("latin-1")
    _, rows = read(content)
    assert [row.problem for row in rows if row.problem] == [
        "there are bytes in it that are not of the file's charset"
    ]


def bomb(*, declared: int | None = None) -> bytes:
    """A workbook whose sheet is a gigabyte of blanks; it may say that it is small."""
    into = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(["Name"], ["Ana"]))) as good,
        zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for part in good.infolist():
            if part.filename == "xl/worksheets/sheet1.xml":
                with made.open(part.filename, "w", force_zip64=False) as sheet:
                    for _ in range(64):
                        sheet.write(b" " * 2**20)
            else:
                made.writestr(part.filename, good.read(part))
    content = into.getvalue()
    if declared is not None:
        real = (64 * 2**20).to_bytes(4, "little")
        assert content.count(real) >= 1
        content = content.replace(real, declared.to_bytes(4, "little"))
    return content


@pytest.mark.parametrize(("content", "words"), [(bomb(), "packed .*-fold"), (bomb(declared=1000), "damaged")])
def test_a_bomb_is_refused_whatever_it_says_of_its_size(content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read(content)


def test_a_sheet_that_skips_to_the_end_of_the_world_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_ROWS", 1000)
    into = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(["Name"], ["Ana"]))) as good, zipfile.ZipFile(into, "w") as made:
        for part in good.infolist():
            text = good.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                text = text.replace(b'<row r="2"', b'<row r="99999999999"').replace(
                    b'r="A2"', b'r="A99999999999"'
                )
            made.writestr(part.filename, text)
    with pytest.raises(Invalid, match=r"more than 1000 rows"):
        read(into.getvalue())


def understood(*rows: list[Any]) -> list[tuple[str, bool]]:
    found, _ = columns.understand([Row(n, tuple(cells)) for n, cells in enumerate(rows, 1)])
    return [(c.target, c.numeric) for c in found]


@pytest.mark.parametrize(
    ("headers", "targets"),
    [
        (["First Name", "Last Name", "E-mail Address", "Mobile Phone", "Company"], ["first_name", "last_name", "email", "phone", "company"]),
        (["Nome completo", "E-mail", "Telefone celular", "Empresa", "Observações"], ["name", "email", "phone", "company", "message"]),
        (["Nombre", "Apellidos", "Correo electrónico", "Móvil", "Etiquetas"], ["name", "last_name", "email", "phone", "tags"]),
        (["Vorname", "Nachname", "E-Mail-Adresse", "Telefonnummer", "Firma"], ["first_name", "last_name", "email", "phone", "company"]),
        (["Prénom", "Nom de famille", "Adresse e-mail", "Portable", "Société"], ["first_name", "last_name", "email", "phone", "company"]),
        (["Email 1", "Email 2", "Number of employees", "utm_source", "fields.city"], ["email", "email", "fields.number_of_employees", "utm_source", "fields.city"]),
    ],
)  # fmt: skip
def test_columns_are_told_by_their_headers_in_five_languages(headers: list[str], targets: list[str]) -> None:
    assert [target for target, _ in understood(headers, ["x"] * 5)] == targets


def test_columns_are_told_by_what_stands_in_them() -> None:
    found = understood(
        ["A", "B", "C", "State", "Ordered", "Contact"],
        ["ana@client.test", "+55 11 98765-4321", "200", "California", "31/01/2026", "bia@client.test"],
        ["eva@client.test", "(11) 98765-4322", "3", "Texas", "01/02/2026", "ina@client.test"],
    )
    assert found == [
        ("email", False), ("phone", False), ("fields.c", True), ("fields.state", False), ("fields.ordered", False), ("email", False),
    ]  # fmt: skip
    without_header = understood(["Ana", "ana@client.test"], ["Bia", "bia@client.test"])
    assert without_header[1] == ("email", False)


def entry_of(headers: list[str], cells: list[Any]) -> Any:
    rows = [Row(1, tuple(headers)), Row(2, tuple(cells))]
    return entry.read(rows[1], columns.understand(rows)[0], HERE)


def test_a_row_says_who_somebody_is() -> None:
    found = entry_of(
        [
            "First name",
            "Last name",
            "Email",
            "Phone",
            "Employees",
            "Tags",
            "Status",
            "Created at",
            "Consent",
            "Notes",
        ],
        [
            " Ana ",
            "Souza",
            "ANA@client.test; ana@home.test",
            "11 98765-4321",
            "200",
            "vip, old",
            "In progress",
            "31/01/2026 09:00",
            "Sim",
            "'=1+1",
        ],
    )
    assert found.problems == []
    assert (found.name, found.emails, found.phones) == (
        "Ana Souza",
        ["ANA@client.test", "ana@home.test"],
        ["+5511987654321"],
    )
    assert (found.fields, found.tags, found.status, found.consent) == (
        {"employees": 200},
        ["vip", "old"],
        "in_progress",
        True,
    )
    assert found.created_at == datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    assert found.own["message"] == "=1+1"


@pytest.mark.parametrize(
    ("header", "cell", "words"),
    [
        ("Email", "nobody", "Email: 'nobody' is no e-mail address"),
        ("Phone", "12", "Phone: '12' is no telephone number"),
        ("Created at", "yesterday", "is no day or moment"),
        ("Created at", "30/02/2026", "is no day or moment"),
        ("Score", "many", "is no whole number"),
        ("Consent", "perhaps", "is neither yes nor no"),
        ("Name", "x" * 301, "is longer than 300"),
        ("City", "", "there is no name"),
    ],
)
def test_what_does_not_fit_is_said(header: str, cell: str, words: str) -> None:
    (problem,) = entry_of([header, "Other"], [cell, "x"]).problems
    assert words in problem


def test_columns_are_corrected_by_header_or_number() -> None:
    found, _ = columns.understand([Row(1, ("Mobile no.", "Who")), Row(2, ("1", "Ana"))])
    assert [c.target for c in columns.corrected(found, {"mobile no.": "-", "2": "name"})] == ["-", "name"]
    for wrong, words in (
        ({"Nothing": "name"}, "no such column"),
        ({"Who": "king"}, "nothing that a column"),
        ({"Who": "fields.a b"}, "nothing"),
    ):
        with pytest.raises(Invalid, match=words):
            columns.corrected(found, wrong)
