"""Everything as rows, part by part: what there is, column by column. Formula-safe where a table asks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from core.errors import Invalid
from crm import catalogue
from crm.spreadsheet import safe
from models.activity import Activity
from models.base import Base
from models.call import Call
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.message import Message
from models.product import Product

#: What can be exported, by the word in its address.
TABLES: Mapping[str, type[Base]] = {
    "leads": Lead,
    "contacts": Contact,
    "companies": Company,
    "deals": Deal,
    "activities": Activity,
    "products": Product,
    "calls": Call,
    "emails": Message,
}
FORMATS = ("csv", "xlsx", "json")
#: What is not for tables: what follows from others, or is the service's own.
_LEFT_OUT = frozenset(
    {"fields", "facts", "found", "effect_key", "lease_until", "wish", "waits", "idle_days", "token",
     "file_at", "file_tries", "files_id", "told", "alarmed_at", "start_told", "group_id",
     "due_told", "html", "attempts", "section_id", "image_place",
     "image_kind", "image_size"}
)  # fmt: skip
_AT_ONCE = 500
_LONGEST_CELL = 32_000
Rows = Iterable[Mapping[str, Any]]


def columns(session: Session, kind: str) -> list[str]:
    """The columns of an export: the table's, and the custom fields that are declared."""
    table = _table(kind)
    own = [c.name for c in Base.metadata.tables[table.__tablename__].columns if c.name not in _LEFT_OUT]
    named = [_NAMES.get(name, name) for name in own]
    one = {"companies": "company"}.get(kind, kind.removesuffix("s"))
    if one in ("lead", "contact", "company", "deal"):
        settings = catalogue.load(session)
        named += [f"fields.{key}" for key in settings.fields_of(one)]  # type: ignore[arg-type]
        named.append("other_fields")
    return named


def part(session: Session, kind: str, *, after: int, most: int = _AT_ONCE) -> list[Any]:
    """The rows behind a number, by number."""
    table: Any = _table(kind)
    chosen = select(table).where(table.id > after).order_by(table.id).limit(most)
    if hasattr(table, "merged_into_id"):
        chosen = chosen.where(table.merged_into_id.is_(None))
    for name in ("owner", "source", "stage", "pipeline"):
        if hasattr(table, name) and name not in Base.metadata.tables[table.__tablename__].columns:
            chosen = chosen.options(joinedload(getattr(table, name)))
    return list(session.scalars(chosen))


def row(element: Any, names: Sequence[str]) -> dict[str, Any]:
    """An element's values by the names of `columns`."""
    return {name: _value(element, name) for name in names if name != "other_fields"} | (
        {"other_fields": _others(element, names)} if "other_fields" in names else {}
    )


def as_csv(names: Sequence[str], rows: Rows) -> Iterator[str]:
    """Lines of CSV (RFC 4180), with a mark that tells a spreadsheet its charset."""
    line = io.StringIO()
    writer = csv.writer(line)
    yield "\ufeff"
    writer.writerow(names)
    for one in rows:
        writer.writerow([safe(_text(one[name])) for name in names])
        if line.tell() > 1 << 15:
            yield line.getvalue()
            line.seek(0)
            line.truncate()
    yield line.getvalue()


def as_json(names: Sequence[str], rows: Rows) -> Iterator[str]:
    """One JSON array of objects."""
    before = "["
    for one in rows:
        yield before + json.dumps({name: _plain(one[name]) for name in names}, ensure_ascii=False)
        before = ",\n"
    yield "[]" if before == "[" else "]"


def as_xlsx(names: Sequence[str], rows: Rows, file: Path) -> None:
    """A workbook in a file; its rows go to the disk as they come."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Export")
    sheet.append([*names])
    for one in rows:
        cells: list[Any] = []
        for name in names:
            value = one[name]
            if isinstance(value, bool | int | float | Decimal) and not isinstance(value, bool):
                cells.append(value)
                continue
            cell = WriteOnlyCell(sheet, value=_printable(safe(_text(value)))[:_LONGEST_CELL])
            cell.data_type = "s"  # a text stays one, whatever it begins with
            cells.append(cell)
        sheet.append(cells)
    book.save(file)


def _table(kind: str) -> type[Base]:
    if kind not in TABLES:
        raise Invalid("some values are not acceptable", {"kind": f"is none of {', '.join(TABLES)}"})
    return TABLES[kind]


def _by_key(relation: str, attribute: str) -> Callable[[Any], Any]:
    return lambda element: getattr(getattr(element, relation, None), attribute, None)


_NAMES = {"owner_id": "owner", "source_id": "source", "stage_id": "stage", "pipeline_id": "pipeline"}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "owner": _by_key("owner", "email"),
    "source": _by_key("source", "key"),
    "stage": _by_key("stage", "key"),
    "pipeline": _by_key("pipeline", "key"),
}


def _value(element: Any, name: str) -> Any:
    if name.startswith("fields."):
        return (element.fields or {}).get(name.removeprefix("fields."))
    return _READ[name](element) if name in _READ else getattr(element, name, None)


def _others(element: Any, names: Sequence[str]) -> Any:
    return {k: v for k, v in (element.fields or {}).items() if f"fields.{k}" not in names} or None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    return str(value) if isinstance(value, Decimal) else value


def _text(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, list) and all(isinstance(item, str) for item in plain):
        return ", ".join(plain)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else str(plain)


def _printable(text: str) -> str:
    # What XML 1.0 cannot say is left out.
    return "".join(
        c
        for c in text
        if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
    )
