"""What reports have in common in SQL: days of a zone, seconds between moments, percentiles, dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    String,
    Subquery,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.reports.asked import Asked
from models.source import Source
from models.user import Team, User

#: For one sort or one table of sums of a report, in each of its processes.
_MEMORY = "64MB"
Moments = InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]


def is_postgres(session: Session) -> bool:
    """Whether the database is PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"


def prepare(session: Session) -> None:
    """Tells PostgreSQL, until the transaction ends, what a report is like.

    It may sort in memory, and compiles nothing, which takes longer than a report. Days are counted on all
    cores: by itself PostgreSQL takes each row to have a day of its own, too many to hand over.
    """
    if is_postgres(session):
        session.execute(text("SET LOCAL parallel_tuple_cost = 0.001"))
        session.execute(text(f"SET LOCAL work_mem = '{_MEMORY}'"))
        session.execute(text("SET LOCAL jit = off"))


def bucket(session: Session, column: Moments, asked: Asked) -> ColumnElement[Any]:
    """The first day of the day, week (from Monday) or month that a moment lies in, in the asked zone.

    The zone's offsets are Python's, piece by piece, so that both databases count by the same clock.
    """
    pieces = _offsets(asked.zone, asked.begins, asked.ends)
    if is_postgres(session):
        # Days stay days, not words: a million times to_char takes a second.
        shift = _stepped(column, [(at, literal(timedelta(seconds=offset))) for at, offset in pieces])
        there = func.timezone("UTC", column) + shift
        return cast(there if asked.by == "day" else func.date_trunc(asked.by, there), Date)
    words = _stepped(column, [(at, literal(f"{offset:+d} seconds", String)) for at, offset in pieces])
    if asked.by == "month":
        return func.date(column, words, "start of month")
    if asked.by == "week":
        return func.date(column, words, "weekday 0", "-6 days")
    return func.date(column, words)


def _stepped(column: Moments, pieces: list[tuple[datetime, ColumnElement[Any]]]) -> ColumnElement[Any]:
    *before, (_, last) = pieces
    return case(*((column < at, value) for at, value in before), else_=last) if before else last


def _offsets(zone: ZoneInfo, begins: datetime, ends: datetime) -> list[tuple[datetime, int]]:
    """Up to which moment which offset from UTC is in force, in seconds."""
    found: list[tuple[datetime, int]] = []
    at = begins
    while at < ends:
        here, step = _offset(zone, at), min(at + timedelta(days=1), ends)
        if _offset(zone, step) != here:
            low, high = at, step
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if _offset(zone, middle) == here else (low, middle)
            found.append((high.replace(microsecond=0), here))
        at = step
    return [*found, (ends, _offset(zone, ends))]


def _offset(zone: ZoneInfo, at: datetime) -> int:
    return round((at.astimezone(zone).utcoffset() or timedelta()).total_seconds())


def seconds(session: Session, begun: Any, ended: Any) -> ColumnElement[Any]:
    """The whole seconds between two moments."""
    if is_postgres(session):
        # Not extract(), whose numbers are exact and slow.
        return cast(func.floor(func.date_part("epoch", ended - begun) + 0.5), Integer)
    return cast(func.round((func.julianday(ended) - func.julianday(begun)) * 86_400), Integer)


def apart(chosen: Select[Any]) -> Subquery:
    """A select as one to look into, whose columns are worked out once a row, however often they are used.

    PostgreSQL takes what it knows nothing about for few different values, and so counts on all cores.
    """
    # A plain 0 is known to be none only after PostgreSQL has given up on several processes.
    return chosen.offset(literal_column("CAST('0' AS BIGINT)")).subquery()


def counted(session: Session, chosen: Select[Any]) -> Sequence[Any]:
    """How many rows of a select there are of each set of values."""
    rows = apart(chosen)
    columns = list(rows.c)
    return session.execute(select(*columns, func.count()).group_by(*columns)).all()


def labels(session: Session, by: str) -> Mapping[Any, str]:
    """What people call the keys of a dimension; those of days and of channels call themselves."""
    if by == "source":
        return {r[0]: r[1] for r in session.execute(select(Source.id, Source.name))}
    if by == "owner":
        return {r[0]: r[1] for r in session.execute(select(User.id, User.name))}
    if by == "team":
        return {r[0]: r[1] for r in session.execute(select(Team.id, Team.name))}
    return {}


def label(key: Any, names: Mapping[Any, str]) -> str:
    """What people call one key; what has none is `(none)`."""
    if key is None or key == "":
        return "(none)"
    if isinstance(key, date):
        return key.isoformat()
    return names.get(key) or str(getattr(key, "value", key))
