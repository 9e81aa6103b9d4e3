"""Rows that are only ever added: written past the unit of work, on PostgreSQL all in one statement.

The unit of work costs more for such a row than the database does, and an enquiry has a dozen of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table, event, insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, UOWTransaction

from core.rows import plan_of


class Appended:
    """Marks a mapped class with a number as its key, whose rows hang on nothing but by their columns.

    A row that has its number, or of which a column that is needed has no value yet, is left to the unit of
    work, as is all inside a savepoint, since what is taken back must leave the session, too.
    """


@event.listens_for(Session, "before_flush")
def _write(session: Session, flush: UOWTransaction, instances: object) -> None:
    if session.in_nested_transaction():
        return
    found: dict[type[Any], list[Any]] = {}
    for row in session.new:
        if isinstance(row, Appended):
            held, plan = vars(row), plan_of(type(row))
            if held.get(plan.number_key) is None and all(held.get(key) is not None for key in plan.needed):
                found.setdefault(type(row), []).append(row)
    if not found:
        return
    tables = {
        plan_of(kind).table: [plan_of(kind).all_values(row) for row in rows] for kind, rows in found.items()
    }
    for rows, ids in zip(found.values(), append(session.connection(), tables), strict=True):
        for row, given in zip(rows, ids, strict=True):
            session.expunge(row)
            plan_of(type(row)).written(session, row, given)


Rows = Sequence[Mapping[str, Any]]


def append(connection: Connection, tables: Mapping[Table, Rows]) -> list[list[int]]:
    """Inserts rows, which of one table all have the same columns; answers with each table's numbers."""
    if connection.dialect.name != "postgresql":
        return [_one_after_another(connection, table, rows) for table, rows in tables.items()]
    # Each table's rows as one value, so that the statement is the same for any number of them.
    written = {table.name: json.dumps(rows, default=_plain) for table, rows in tables.items()}
    wanted = tuple((table, tuple(rows[0])) for table, rows in tables.items())
    numbers: dict[str, list[int]] = {table.name: [] for table in tables}
    for name, number in connection.execute(_of_json(wanted), written):
        numbers[name].append(number)
    return [sorted(found) for found in numbers.values()]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


@cache
def _of_json(wanted: tuple[tuple[Table, tuple[str, ...]], ...]) -> Executable:
    written = ", ".join(f"{table.name}_made AS ({_insertion(table, names)})" for table, names in wanted)
    numbers = " UNION ALL ".join(f"SELECT '{t.name}', number FROM {t.name}_made" for t, _ in wanted)  # noqa: S608  the same
    return text(f"WITH {written} {numbers}")


def _insertion(table: Table, columns: tuple[str, ...]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    names = ", ".join(f'"{name}"' for name in columns)
    typed = ", ".join(f'"{name}" {table.c[name].type.compile(dialect)}' for name in columns)
    (number,) = table.primary_key
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names}"  # noqa: S608  names of our own
        f" FROM jsonb_to_recordset(CAST(:{table.name} AS jsonb)) AS given ({typed})"
        f" RETURNING {number.name} AS number"
    )


def _one_after_another(connection: Connection, table: Table, rows: Rows) -> list[int]:
    # SQLite gives each row the number after the largest, and nobody else writes meanwhile.
    connection.execute(insert(table), rows)
    last: int = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
    return list(range(last - len(rows) + 1, last + 1))
