"""Rows as one JSON value, which PostgreSQL reads as rows again: a statement is the same for any number.

The statements are kept short, since psycopg takes those apart anew each time that have over 4,096 characters
(psycopg 3.3, `_queries.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table

Row = Mapping[str, Any]


def told(rows: Sequence[Row] | Row) -> str:
    """The value for the parameter: of one row or several. Raises TypeError for what JSON does not know,
    ValueError for a moment without a time zone."""
    return json.dumps(_said(rows) if isinstance(rows, Mapping) else [_said(r) for r in rows], default=_plain)


def read(parameter: str, table: Table) -> str:
    """What stands behind FROM: the parameter's rows, as ones of this table, under the name `given`."""
    return f'jsonb_populate_recordset(CAST(NULL AS "{table.name}"), CAST(:{parameter} AS jsonb)) AS given'


def read_one(parameter: str, table: Table) -> str:
    """The same for one row, of which the planner then knows that it is one."""
    return f'jsonb_populate_record(CAST(NULL AS "{table.name}"), CAST(:{parameter} AS jsonb)) AS given'


def _said(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")
