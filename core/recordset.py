"""Rows as one JSON value, which PostgreSQL reads as rows again: a statement is the same for any number."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def told(rows: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> str:
    """The value for the parameter. Raises TypeError for what JSON does not know, ValueError for a moment
    without a time zone."""
    return json.dumps(rows, default=_plain)


def read(parameter: str, columns: Mapping[str, TypeEngine[Any]]) -> str:
    """What stands behind FROM: the rows of this parameter, with these columns, under the name `given`."""
    return f"jsonb_to_recordset(CAST(:{parameter} AS jsonb)) AS given ({_typed(columns)})"


def read_one(parameter: str, columns: Mapping[str, TypeEngine[Any]]) -> str:
    """The same for one row, of which the planner then knows that it is one."""
    return f"jsonb_to_record(CAST(:{parameter} AS jsonb)) AS given ({_typed(columns)})"


def _typed(columns: Mapping[str, TypeEngine[Any]]) -> str:
    return ", ".join(f'"{name}" {kind.compile(_DIALECT)}' for name, kind in columns.items())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")
