"""Writing less at a time than a session does by itself.

A session writes all it holds before every question and for every new row's number. Where that costs more
than the question, these write only what has to be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import Insert, Table, Update, bindparam, func, insert, inspect, select, update
from sqlalchemy.orm import Mapper, Session, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

R = TypeVar("R")


def flush_any(session: Session, *classes: type[Any]) -> None:
    """Writes what the session holds where rows of these classes are among it.

    Comes before a question about these alone that is asked without: with `autoflush=False`, or on the
    session's connection itself.
    """
    held = (session.new, session.dirty, session.deleted)
    if any(isinstance(row, classes) for rows in held for row in rows):
        session.flush()


def insert_alone(session: Session, row: R) -> R:
    """Inserts one new row now, so that it has its number, and nothing else of what the session holds.

    Its own columns only: what hangs on it must be empty, what it hangs on must have been written. Inside a
    savepoint it is written like any other, since a row that was taken back must leave the session, too.
    """
    if session.in_nested_transaction():
        session.add(row)
        session.flush()
        return row
    mapper = cast("Mapper[Any]", inspect(type(row)))
    insertion = _insertion(cast(Table, mapper.local_table))
    number: int = session.connection().execute(insertion, _values(mapper, row)).scalar_one()
    _written(session, mapper, row, number)
    return row


def update_alone(session: Session, row: object, values: Mapping[str, Any]) -> None:
    """Writes these values of one row now, and nothing else of what the session holds."""
    mapper = cast("Mapper[Any]", inspect(type(row)))
    table = cast(Table, mapper.local_table)
    given = {f"new_{key}": value for key, value in values.items()}
    number = getattr(row, mapper.primary_key[0].name)
    session.connection().execute(_change(table, tuple(values)), {"this": number, **given})
    for key, value in values.items():
        set_committed_value(row, key, value)


@cache
def _change(table: Table, names: tuple[str, ...]) -> Update:
    (number,) = table.primary_key
    return update(table).where(number == bindparam("this")).values({n: bindparam(f"new_{n}") for n in names})


def insert_together(session: Session, rows: Sequence[R]) -> Sequence[R]:
    """Inserts new rows of one class now in one go, with their numbers: as `insert_alone` does with one.

    The transaction must be one that writes, in which SQLite lets nobody else take a number. A column of JSON
    is set in all of them or in none.
    """
    if session.in_nested_transaction() or not rows:
        session.add_all(rows)
        session.flush()
        return rows
    mapper = cast("Mapper[Any]", inspect(type(rows[0])))
    table = cast(Table, mapper.local_table)
    column = mapper.primary_key[0]
    numbers = _numbers(session, table, len(rows))
    values = [{column.name: n, **_values(mapper, row)} for row, n in zip(rows, numbers, strict=True)]
    names = dict.fromkeys(name for each in values for name in each)
    session.connection().execute(insert(table), [{**names, **each} for each in values])
    for row, number in zip(rows, numbers, strict=True):
        _written(session, mapper, row, number)
    return rows


def _numbers(session: Session, table: Table, many: int) -> Sequence[int]:
    """The next numbers of a table, in rising order."""
    (column,) = table.primary_key
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        following = func.nextval(func.pg_get_serial_sequence(table.name, column.name))
        series = func.generate_series(1, many).table_valued("n")
        return sorted(connection.scalars(select(following).select_from(series)))
    last = connection.scalar(select(func.coalesce(func.max(column), 0))) or 0
    return range(last + 1, last + 1 + many)


def _values(mapper: Mapper[Any], row: Any) -> dict[str, Any]:
    """What a new row has in its columns, but for its number; what it has by default is set on it."""
    values: dict[str, Any] = {}
    held = vars(row)
    for key, name, default in _columns(mapper):
        if key not in held:
            # Not by setting the attribute, of which nobody has to be told: that takes ten times as long.
            if default is None:
                # Left out, not given as nothing: in a column of JSON that would be a value.
                held[key] = None
                continue
            held[key] = default.arg if default.is_scalar else default.arg(None)
        values[name] = held[key]
    return values


@cache
def _columns(mapper: Mapper[Any]) -> Sequence[tuple[str, str, Any]]:
    """By attribute, but for the number: the column's name and what it has by default."""
    number = mapper.primary_key[0]
    columns = ((attribute.key, attribute.columns[0]) for attribute in mapper.column_attrs)
    return [(key, column.name, column.default) for key, column in columns if column is not number]


def _written(session: Session, mapper: Mapper[Any], row: Any, number: int) -> None:
    """The session takes the row for one that it has read."""
    setattr(row, mapper.get_property_by_column(mapper.primary_key[0]).key, number)
    make_transient_to_detached(row)
    session.add(row)


@cache
def _insertion(table: Table) -> Insert:
    return insert(table).returning(*table.primary_key)
