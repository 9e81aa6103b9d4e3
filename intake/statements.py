"""The two statements that every sender at the door waits for, in the driver's own terms.

A driver's `executemany`, and reading back what was inserted, let go of Python's lock and take it again for
each row; with as many threads as a busy door has, each time costs milliseconds. So all rows go in one
statement, and the text of each is made once for each number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import CursorResult, Dialect, Table
from sqlalchemy.orm import Session

from models.inbound import InboundEvent

_TABLE = cast(Table, InboundEvent.__table__)
Key = tuple[int, str]


def standing(session: Session, source_id: int, keys: Iterable[str]) -> dict[Key, str]:
    """The ids of this source's events that are in the journal under these keys."""
    connection = session.connection()
    wanted = tuple(keys)
    found = connection.exec_driver_sql(_selection(connection.dialect, len(wanted)), (source_id, *wanted))
    process = _TABLE.c.id.type.dialect_impl(connection.dialect).result_processor(connection.dialect, None)
    return {(source_id, key): str(process(event_id) if process else event_id) for key, event_id in found}


def insert_new(session: Session, rows: Sequence[Mapping[str, object]]) -> int:
    """Journals the rows, passing over those whose key is taken, and says how many it journalled.

    All rows name the same columns.
    """
    connection = session.connection()
    columns = tuple(rows[0])
    processors = _processors(connection.dialect, columns)
    values: list[object] = []
    for row in rows:
        values += [process(row[name]) if process else row[name] for name, process in processors]
    made = connection.exec_driver_sql(_insertion(connection.dialect, columns, len(rows)), tuple(values))
    return cast(CursorResult[Any], made).rowcount


@lru_cache(maxsize=8)
def _processors(dialect: Dialect, columns: tuple[str, ...]) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """How each column's values are handed to the driver; None where as they are."""
    kinds = ((name, _TABLE.c[name].type.dialect_impl(dialect)) for name in columns)
    return [(name, kind.bind_processor(dialect)) for name, kind in kinds]


# The names are ours; every value is bound.
@lru_cache(maxsize=512)
def _selection(dialect: Dialect, count: int) -> str:
    places = ", ".join([_place(dialect)] * count)
    return (
        f"SELECT dedupe_key, id FROM {_TABLE.name}"  # noqa: S608
        f" WHERE source_id = {_place(dialect)} AND dedupe_key IN ({places})"
    )


@lru_cache(maxsize=512)
def _insertion(dialect: Dialect, columns: tuple[str, ...], count: int) -> str:
    row = f"({', '.join([_place(dialect)] * len(columns))})"
    return (
        f"INSERT INTO {_TABLE.name} ({', '.join(columns)}) VALUES {', '.join([row] * count)}"  # noqa: S608
        " ON CONFLICT DO NOTHING"
    )


def _place(dialect: Dialect) -> str:
    return "?" if dialect.paramstyle == "qmark" else "%s"
