"""Whatever hangs on a row by its number: taken over to another row, and brought back.

All tables are asked, by their foreign keys: what a later release hangs on an element is carried too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    Enum,
    Table,
    UniqueConstraint,
    and_,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from crm import newborn
from models.base import Base, Exact, Moment

#: Columns that refer without a foreign key: the journal may outlive what became of it.
_UNTOLD = {"lead": ("inbound_events.lead_id",)}
#: How a row refers to what it was made part of, which stays its own.
_OWN = ("merged_into_id",)
_AT_ONCE = 500


@cache
def references(table: str) -> tuple[Column[Any], ...]:
    """The columns of all tables that hold a number of this one."""
    found = [
        column
        for one in Base.metadata.sorted_tables
        for column in one.columns
        if column.name not in _OWN
        and any(f.column.table.name == table and f.column.name == "id" for f in column.foreign_keys)
    ]
    for name in _UNTOLD.get(table, ()):
        where, _, column_name = name.partition(".")
        found.append(Base.metadata.tables[where].columns[column_name])
    return tuple(found)


def carry(session: Session, table: str, old: int, new: int) -> list[dict[str, Any]]:
    """Hangs on `new` what hangs on `old`; answers with what `bring_back` needs.

    A row whose like `new` has already (a contact of the same deal) is taken away, and kept in the answer.
    """
    if table == "lead":
        newborn.laden(session, new)
    return [told for column in references(table) if (told := _carry(session, column, old, new)) is not None]


def bring_back(session: Session, told: Sequence[Mapping[str, Any]], *, old: int, new: int) -> None:
    """Hangs on `old` again what `carry` took from it, as far as it still hangs on `new`."""
    for one in told:
        table = Base.metadata.tables[one["table"]]
        column = table.columns[one["column"]]
        for rows in _in_parts(one["rows"]):
            session.execute(
                update(table).where(column == new, _among(table, column, rows)).values({column: old})
            )
        for row in one["taken"]:
            values = {
                table.columns[name]: restored(table.columns[name], value) for name, value in row.items()
            }
            key = and_(*(c == values[c] for c in table.primary_key))
            if session.execute(select(*table.primary_key).where(key)).first() is None:
                session.execute(insert(table).values(values))


def alter(
    session: Session, table: Table, where: ColumnElement[bool], values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Sets columns of the rows that fit; answers with what `unalter` needs."""
    told = []
    chosen = select(table.c.id, *(table.c[name] for name in values)).where(where).order_by(table.c.id)
    for row in session.execute(chosen).mappings().all():
        before = {name: row[name] for name in values}
        if before == dict(values):
            continue
        session.execute(update(table).where(table.c.id == row["id"]).values(dict(values)))
        told.append(
            {
                "table": table.name,
                "id": row["id"],
                "set": {name: [plain(before[name]), plain(values[name])] for name in values},
            }
        )
    return told


def unalter(session: Session, told: Sequence[Mapping[str, Any]]) -> None:
    """Gives altered rows their values back, where nobody has changed them since."""
    for one in reversed(told):
        table = Base.metadata.tables[one["table"]]
        row = session.execute(select(table).where(table.c.id == one["id"])).mappings().one_or_none()
        if row is None:
            continue
        back = {
            name: restored(table.c[name], before)
            for name, (before, after) in one["set"].items()
            if plain(row[name]) == after
        }
        if len(back) == len(one["set"]):
            session.execute(update(table).where(table.c.id == one["id"]).values(back))


def plain(value: Any) -> Any:
    """A column's value as JSON knows it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value.value if isinstance(value, StrEnum) else value


def restored(column: Column[Any], value: Any) -> Any:
    """A column's value from what `plain` made of it."""
    if value is None:
        return None
    if isinstance(column.type, Enum) and column.type.enum_class is not None:
        return column.type.enum_class(value)
    if isinstance(column.type, Moment):
        return datetime.fromisoformat(value)
    if isinstance(column.type, Date):
        return date.fromisoformat(value)
    return Decimal(value) if isinstance(column.type, Exact) else value


def _carry(session: Session, column: Column[Any], old: int, new: int) -> dict[str, Any] | None:
    table = column.table
    keys = _keys(table, column)
    taken = _twice(session, table, column, old, new)
    for row in taken:
        session.execute(delete(table).where(*(c == row[c.name] for c in table.primary_key)))
    chosen = select(*keys).where(column == old) if keys else select(column).where(column == old)
    rows = [[plain(v) for v in row] if keys else [] for row in session.execute(chosen.order_by(*keys))]
    if rows:
        session.execute(update(table).where(column == old).values({column: new}))
    if not rows and not taken:
        return None
    return {
        "table": table.name,
        "column": column.name,
        "rows": rows,
        "taken": [{name: plain(value) for name, value in row.items()} for row in taken],
    }


def _keys(table: Table, column: Column[Any]) -> list[Column[Any]]:
    """What tells the rows apart when the column's value is known."""
    return [c for c in table.primary_key if c is not column]


def _twice(
    session: Session, table: Table, column: Column[Any], old: int, new: int
) -> list[Mapping[str, Any]]:
    """The rows of `old` that cannot hang on `new`, since it has their like."""
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    unique = [tuple(table.primary_key)] + [
        tuple(c.columns) for c in table.constraints if isinstance(c, UniqueConstraint)
    ]
    for columns in unique:
        if column not in columns:
            continue
        others = [c for c in columns if c is not column]
        there = table.alias()
        same = [table.c[c.name] == there.c[c.name] for c in others]
        chosen = select(table).where(
            column == old, select(there).where(there.c[column.name] == new, *same).exists()
        )
        for row in session.execute(chosen).mappings():
            found[tuple(row[c.name] for c in table.primary_key)] = dict(row)
    return list(found.values())


def _among(table: Table, column: Column[Any], rows: Sequence[Sequence[Any]]) -> ColumnElement[bool]:
    keys = _keys(table, column)
    if not keys:
        return column.is_not(None)
    if len(keys) == 1:
        return keys[0].in_([restored(keys[0], row[0]) for row in rows])
    return tuple_(*keys).in_([tuple(restored(k, v) for k, v in zip(keys, row, strict=True)) for row in rows])


def _in_parts(rows: Sequence[Sequence[Any]]) -> list[Sequence[Sequence[Any]]]:
    return [rows[i : i + _AT_ONCE] for i in range(0, len(rows), _AT_ONCE)]
