"""Writing less at a time than a session does by itself.

A session writes all it holds before every question and for every new row's number. Where that costs more
than the question, these write only what has to be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import Column, Insert, Table, Update, bindparam, func, insert, inspect, select, update
from sqlalchemy.orm import Mapper, Session, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

R = TypeVar("R")
_DRAWN = "core.rows.drawn"
_NUMBERED = "core.rows.numbered"


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows of one mapped class with a number as its key are written past the unit of work.

    `defaults` has each column but the number: the attribute, the column's name, and what it has by default.
    `needed` are the attributes without which there is no row.
    """

    table: Table
    number: Column[Any]
    number_key: str
    defaults: tuple[tuple[str, str, Any], ...]
    needed: tuple[str, ...]

    def values(self, row: Any) -> dict[str, Any]:
        """What the row has in its columns; what it has by default is set on it.

        What has nothing by default is left out, not given as nothing: in a column of JSON that would be a
        value.
        """
        held = vars(row)
        values: dict[str, Any] = {}
        for key, name, default in self.defaults:
            if key not in held:
                # Not by setting the attribute, of which nobody has to be told: that takes ten times as long.
                held[key] = default(None) if callable(default) else default
                if default is None:
                    continue
            values[name] = held[key]
        return values

    def all_values(self, row: Any) -> dict[str, Any]:
        """The same with all columns, for rows of which each needs the same; with the number, where it has
        one."""
        values = self.values(row)
        number = vars(row).get(self.number_key)
        given = {} if number is None else {self.number.name: number}
        return given | {name: values.get(name) for _, name, _ in self.defaults}

    def completed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """By column what a row has that is given by its attributes, with what it has by default."""
        return {
            name: values[key] if key in values else default(None) if callable(default) else default
            for key, name, default in self.defaults
        }

    def written(self, session: Session, row: object, number: int) -> None:
        """The session takes the row for one that it has read."""
        setattr(row, self.number_key, number)
        make_transient_to_detached(row)
        session.add(row)


_plans: dict[type[Any], Plan] = {}


def plan_of(kind: type[Any]) -> Plan:
    """The plan of a mapped class."""
    if kind not in _plans:
        _plans[kind] = _planned(kind)
    return _plans[kind]


def _planned(kind: type[Any]) -> Plan:
    mapper = cast("Mapper[Any]", inspect(kind))
    number = cast("Column[Any]", mapper.primary_key[0])
    columns = [(a.key, a.columns[0]) for a in mapper.column_attrs if a.columns[0] is not number]
    return Plan(
        cast(Table, mapper.local_table),
        number,
        mapper.get_property_by_column(number).key,
        tuple(
            (key, c.name, cast(Any, c.default).arg if c.default is not None else None) for key, c in columns
        ),
        tuple(key for key, c in columns if not c.nullable and c.default is None),
    )


def flush_any(session: Session, *classes: type[Any]) -> None:
    """Writes what the session holds where rows of these classes are among it.

    Comes before a question about these alone that is asked without: with `autoflush=False`, or on the
    session's connection itself.
    """
    held = (session.new, session.dirty, session.deleted)
    if any(isinstance(row, classes) for rows in held for row in rows):
        session.flush()


def as_read(session: Session, kind: type[R], values: Mapping[str, Any]) -> R:
    """A row of which the database was asked past the session, with all its columns, as one that it has
    read."""
    key = tuple(values[column.name] for column in cast("Mapper[R]", inspect(kind)).primary_key)
    held = session.identity_map.get(identity_key(kind, key))
    if held is None:
        row = kind(**values)
        make_transient_to_detached(row)
        session.add(row)
        return row
    for name, value in values.items():
        set_committed_value(held, name, value)
    return held


def draw(session: Session, kind: type[Any], number: int) -> None:
    """Keeps a number that the table has given out, for the next row that `insert_alone` has of this kind."""
    session.info.setdefault(_DRAWN, {}).setdefault(kind, []).append(number)


def numbered(session: Session) -> list[Any]:
    """The new rows that have such a number and are still to be written, once."""
    waiting = session.info.pop(_NUMBERED, ())
    return [row for row in waiting if row in session.new]


def insert_alone(session: Session, row: R) -> R:
    """Inserts one new row now, so that it has its number, and nothing else of what the session holds.

    Where a number was drawn before, the row has it at once, and is written with the rest. Its own columns
    only: what hangs on it must be empty, what it hangs on must have been written. Inside a savepoint it is
    written like any other, since a row that was taken back must leave the session, too.
    """
    if session.in_nested_transaction():
        session.add(row)
        session.flush()
        return row
    plan = plan_of(type(row))
    values = plan.values(row)
    if drawn := session.info.get(_DRAWN, {}).get(type(row)):
        setattr(row, plan.number_key, drawn.pop())
        session.add(row)
        session.info.setdefault(_NUMBERED, []).append(row)
        return row
    number: int = session.connection().execute(_insertion(plan.table), values).scalar_one()
    plan.written(session, row, number)
    return row


def update_alone(session: Session, row: object, values: Mapping[str, Any]) -> None:
    """Writes these values of one row now, and nothing else of what the session holds."""
    plan = plan_of(type(row))
    given = {f"new_{key}": value for key, value in values.items()}
    number = getattr(row, plan.number_key)
    session.connection().execute(_change(plan.table, tuple(values)), {"this": number, **given})
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
    plan = plan_of(type(rows[0]))
    numbers = _numbers(session, plan.table, len(rows))
    values = [{plan.number.name: n, **plan.values(row)} for row, n in zip(rows, numbers, strict=True)]
    names = dict.fromkeys(name for each in values for name in each)
    session.connection().execute(insert(plan.table), [{**names, **each} for each in values])
    for row, number in zip(rows, numbers, strict=True):
        plan.written(session, row, number)
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


@cache
def _insertion(table: Table) -> Insert:
    return insert(table).returning(*table.primary_key)
