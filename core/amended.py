"""Rows that are changed in a few columns: found here, so that they are written with those that are added.

The unit of work asks the database once for each table that was changed, and waits each time: an enquiry
changes three, and adds rows to four others. See core.appended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    String,
    Table,
    TypeDecorator,
    Update,
    Uuid,
    bindparam,
    inspect,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import (
    Mapper,
    RelationshipDirection,
    Session,
    make_transient,
    make_transient_to_detached,
)
from sqlalchemy.orm.exc import StaleDataError

from core import recordset

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
#: More rows than this are left to the unit of work: each makes the statement longer.
_MOST = 8
#: How many statements, each for other tables and columns, are kept ready.
_MOST_KEPT = 500


class Amended:
    """Marks a mapped class whose changed rows are written so wherever others are appended."""


@dataclass(frozen=True, slots=True)
class Change:
    """Which columns of which table are changed, and which must be what they were: its key and, where it has
    one, its version."""

    table: Table
    columns: tuple[str, ...]
    stands: tuple[str, ...]

    def statement(self, parameter: str) -> str:
        """For PostgreSQL, with the parameters of `Amendment.parameters`."""
        given = recordset.read_one(parameter, self.table)
        setting = ", ".join(f'"{name}" = given."{name}"' for name in self.columns)
        where = " AND ".join(
            f'{self.table.name}."{name}" = CAST(:{parameter}_{name} AS {_type(self.table.c[name])})'
            for name in self.stands
        )
        return f"UPDATE {self.table.name} SET {setting} FROM {given} WHERE {where} RETURNING 1"  # noqa: S608  our own names


@lru_cache(_MOST_KEPT)
def _update(change: Change) -> Update:
    """For other databases, with the values as parameters, and behind `=` those that must stand."""
    where = [change.table.c[name] == bindparam(f"={name}") for name in change.stands]
    return update(change.table).where(*where).values({name: bindparam(name) for name in change.columns})


@dataclass(frozen=True, slots=True)
class Amendment:
    """One row and its change: its new values, and those that must stand."""

    row: Any
    change: Change
    values: Mapping[str, Any]
    standing: Mapping[str, Any]

    def parameters(self, name: str) -> dict[str, Any]:
        """For `Change.statement`: the values as one, and each that must stand."""
        return {name: recordset.told(self.values), **{f"{name}_{n}": v for n, v in self.standing.items()}}

    def check(self, written: int) -> None:
        """Raises StaleDataError where it was not written."""
        if not written:
            raise StaleDataError(f"a row of {self.change.table.name} is gone, or not what was read")


def found(session: Session) -> list[Amendment]:
    """What is written so of the rows that the session has changed: nothing where they are many.

    A row of which more than plain columns has changed is left to the unit of work.
    """
    rows = [row for row in session.dirty if isinstance(row, Amended)]
    return [made for row in rows if (made := _amendment(row)) is not None] if len(rows) <= _MOST else []


def _amendment(row: Amended) -> Amendment | None:
    plan = _plan(cast(Any, type(row)))
    changed = _changed(row, plan)
    if not changed:
        return None
    held, was = vars(row), inspect(row).committed_state
    standing = {name: was.get(key, held.get(key)) for name, key in plan.stands.items()}
    return Amendment(row, Change(plan.table, tuple(sorted(changed)), tuple(plan.stands)), changed, standing)


def one_by_one(connection: Connection, amendments: Sequence[Amendment]) -> None:
    """Writes each by itself."""
    for each in amendments:
        standing = {f"={name}": value for name, value in each.standing.items()}
        each.check(connection.execute(_update(each.change), {**each.values, **standing}).rowcount)


def written(session: Session, amendments: Sequence[Amendment]) -> None:
    """The session takes the rows for ones that it has read."""
    for each in amendments:
        session.expunge(each.row)
        make_transient(each.row)
        make_transient_to_detached(each.row)
        session.add(each.row)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Of a mapped class: by column what must stand, by attribute the columns that JSON can carry, and by
    relation the attribute that names the row at its other end, and that row's own."""

    table: Table
    stands: Mapping[str, str]
    columns: Mapping[str, str]
    owners: Mapping[str, tuple[str, str]]


def _changed(row: Any, plan: _Plan) -> dict[str, Any] | None:
    """By column what the row has that it did not have when it was read; None where there is more to it."""
    held, changed = vars(row), {}
    for key, before in inspect(row).committed_state.items():
        if key in plan.columns:
            if held[key] != before:
                changed[plan.columns[key]] = held[key]
        elif key in plan.owners:
            named, number = plan.owners[key]
            other = held.get(key)
            if held.get(named) != (None if other is None else vars(other).get(number, other)):
                return None  # who it is about has no number yet, or was not told to the column
        else:
            return None
    return changed


@cache
def _plan(kind: type[Amended]) -> _Plan:
    mapper = cast("Mapper[Any]", inspect(kind))
    (key,), version = mapper.primary_key, mapper.version_id_col
    versioned = [key] if version is None else [key, version]
    keys = {cast("Column[Any]", a.columns[0]): a.key for a in mapper.column_attrs}
    table = cast(Table, mapper.local_table)
    return _Plan(
        table,
        {column.name: keys[cast("Column[Any]", column)] for column in versioned},
        {name: column.name for column, name in keys.items() if _is_plain(column)},
        dict(_owners(mapper)),
    )


def _owners(mapper: Mapper[Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    for relation in mapper.relationships:
        if relation.direction is RelationshipDirection.MANYTOONE and len(relation.local_remote_pairs) == 1:
            ((local, remote),) = relation.local_remote_pairs
            named = mapper.get_property_by_column(cast("Column[Any]", local))
            number = relation.mapper.get_property_by_column(cast("Column[Any]", remote))
            yield relation.key, (named.key, number.key)


@cache
def _type(column: Column[Any]) -> str:
    return column.type.compile(_DIALECT)


def _is_plain(column: Column[Any]) -> bool:
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return not column.primary_key and isinstance(kind, Integer | String | Boolean | DateTime | JSON | Uuid)
