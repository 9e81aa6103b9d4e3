"""Rows that are only ever added, and few columns of others that change: written past the unit of work, on
PostgreSQL all in one statement.

The unit of work costs more for such a row than the database does, and an enquiry has a dozen of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Executable, Table, event, insert, text
from sqlalchemy.orm import Session, UOWTransaction

from core import amended, recordset
from core.amended import Amendment, Change
from core.rows import numbered, plan_of

_LEFT = "core.appended.left"
#: How many statements, each for other tables and columns, are kept ready.
_MOST_KEPT = 500


class Appended:
    """Marks a mapped class with a number as its key, whose rows hang on nothing but by their columns.

    A row that has its number, or of which a column that is needed has no value yet, is left to the unit of
    work, as is all inside a savepoint, since what is taken back must leave the session, too.
    """


def leave(session: Session, kind: type[Appended], /, **values: Any) -> None:
    """Has a row with these values written at the next flush, of which the session then knows nothing."""
    if session.in_nested_transaction():
        session.add(kind(**values))
    elif _LEFT not in session.info:
        session.add(kind(**values))  # like any other, so that the session has something to flush
        session.info[_LEFT] = {}
    else:
        session.info[_LEFT].setdefault(kind, []).append(plan_of(kind).completed(values))


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, flush: UOWTransaction, instances: object) -> None:
    if not session.in_nested_transaction():
        _write(session)


@event.listens_for(Session, "after_rollback")
def _after_rollback(session: Session) -> None:
    session.info.pop(_LEFT, None)


def _write(session: Session) -> None:
    added = _added(session)
    left: Mapping[type[Any], list[Any]] = session.info.pop(_LEFT, {})
    if not added and not left:
        return
    tables: dict[Table, list[Mapping[str, Any]]] = {}
    for kind, rows in added.items():
        tables[plan_of(kind).table] = [plan_of(kind).all_values(row) for row in rows]
    for kind, more in left.items():
        tables.setdefault(plan_of(kind).table, []).extend(more)
    amendments = amended.found(session)
    numbers = _append(session.connection(), tables, amendments)
    for rows, ids in zip(added.values(), numbers, strict=False):
        for row, given in zip(rows, ids, strict=False):  # what was left comes behind
            session.expunge(row)
            plan_of(type(row)).written(session, row, given)
    amended.written(session, amendments)


def _added(session: Session) -> dict[type[Any], list[Any]]:
    found: dict[type[Any], list[Any]] = {}
    for row in numbered(session):
        found.setdefault(type(row), []).append(row)
    for row in session.new:
        if isinstance(row, Appended):
            held, plan = vars(row), plan_of(type(row))
            if held.get(plan.number_key) is None and all(held.get(key) is not None for key in plan.needed):
                found.setdefault(type(row), []).append(row)
    return found


_Rows = Sequence[Mapping[str, Any]]


def _append(
    connection: Connection, tables: Mapping[Table, _Rows], amendments: Sequence[Amendment]
) -> list[list[int]]:
    """Inserts rows, which of one table all have the same columns, and amends others; answers with the numbers
    of each table's new rows."""
    if connection.dialect.name != "postgresql":
        amended.one_by_one(connection, amendments)
        return [_one_after_another(connection, table, rows) for table, rows in tables.items()]
    given = {table.name: recordset.told(rows) for table, rows in tables.items()}
    for n, each in enumerate(amendments):
        given |= each.parameters(f"change_{n}")
    statement = _statement(
        tuple((table, tuple(rows[0])) for table, rows in tables.items()), tuple(a.change for a in amendments)
    )
    numbers: dict[str, list[int]] = {}
    for name, number in connection.execute(statement, given):
        numbers.setdefault(name, []).append(number)
    for n, each in enumerate(amendments):
        each.check(numbers.pop(f"change_{n}")[0])
    return [sorted(numbers[table.name]) for table in tables]


@lru_cache(_MOST_KEPT)
def _statement(added: tuple[tuple[Table, tuple[str, ...]], ...], changes: tuple[Change, ...]) -> Executable:
    parts = [f"{table.name}_made AS ({_insertion(table, names)})" for table, names in added]
    answers = [f"SELECT '{t.name}', number FROM {t.name}_made" for t, _ in added]  # noqa: S608  our own names
    for n, change in enumerate(changes):
        parts.append(f"changed_{n} AS ({change.statement(f'change_{n}')})")
        answers.append(f"SELECT 'change_{n}', count(*) FROM changed_{n}")  # noqa: S608  the same
    return text(f"WITH {', '.join(parts)} {' UNION ALL '.join(answers)}")


def _insertion(table: Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    (number,) = table.primary_key
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names}"  # noqa: S608  names of our own
        f" FROM {recordset.read(table.name, table)}"
        f" RETURNING {number.name} AS number"
    )


def _one_after_another(connection: Connection, table: Table, rows: _Rows) -> list[int]:
    # SQLite gives each row the number after the largest, and nobody else writes meanwhile.
    connection.execute(insert(table), rows)
    last: int = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
    return list(range(last - len(rows) + 1, last + 1))
