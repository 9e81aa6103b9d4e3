"""Medians and 90th percentiles of many values, found in two looks that sort next to nothing.

The first look counts by key how many values lie between one bound and the next. So it is known between which
bounds a percentile lies, and the second look ranks only the values in there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Select,
    String,
    Subquery,
    Text,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    values,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.reports import sql

#: In per cent.
_PARTS = {"median": 50, "p90": 90}
#: From a second to thirty years, from the eleventh on each about an eighth more than the one before.
_BOUNDS: Sequence[int] = sorted({round(2 ** (n / 6)) for n in range(180)})
_MOST = 2**62
#: So many are looked for at once, each with five values: SQLite takes 32,766 in a statement.
_AT_ONCE = 6000


@dataclass(slots=True)
class Spread:
    """The values of one key: how many, their median, the 90th percentile (nearest rank, so always a value
    that there is) and their mean; None of none. `beside` says how many rows there are by what was asked for
    beside the values, with those that have none."""

    number: int = 0
    median: int | None = None
    p90: int | None = None
    mean: int | None = None
    beside: Counter[Any] = field(default_factory=Counter)

    @property
    def told(self) -> tuple[int, int | None, int | None, int | None]:
        """As cells."""
        return self.number, self.median, self.p90, self.mean


def spread(
    session: Session,
    key: Any,
    value: ColumnElement[Any],
    chosen: Select[Any],
    *,
    beside: ColumnElement[Any] | InstrumentedAttribute[Any] | None = None,
) -> Mapping[Any, Spread]:
    """How values are spread, by key.

    `chosen` is a select of nothing yet, with its joins and conditions; a value is a whole number from 0, or
    none.
    """
    also = literal_column("0") if beside is None else beside
    columns = (_named(key).label("key"), value.label("value"), also.label("beside"))
    rows = sql.apart(chosen.with_only_columns(*columns))
    placed = sql.apart(select(*rows.c, _place(session, rows.c.value).label("place")))
    by = (placed.c.key, placed.c.beside, placed.c.place)
    found: dict[Any, Spread] = defaultdict(Spread)
    numbers: dict[Any, Counter[int]] = defaultdict(Counter)
    totals: Counter[Any] = Counter()
    for name, what, place, number, total in session.execute(
        select(*by, func.count(), func.sum(placed.c.value)).group_by(*by)
    ):
        found[name].beside[what] += number
        if place is not None:
            numbers[name][place] += number
            totals[name] += int(total)
    sought = [(name, *one) for name, here in numbers.items() for one in _sought(here)]
    for start in range(0, len(sought), _AT_ONCE):
        for name, part, exact in _exact(session, rows, sought[start : start + _AT_ONCE]):
            setattr(found[name], part, exact)
    for name, here in numbers.items():
        found[name].number = here.total()
        found[name].mean = (2 * totals[name] + here.total()) // (2 * here.total())
    return {name or None: one for name, one in found.items()}


def _sought(numbers: Mapping[int, int]) -> Iterator[tuple[str, int, int, int]]:
    """Between which bounds each percentile lies, and its rank there, from 1."""
    whole = sum(numbers.values())
    for part, percent in _PARTS.items():
        rank = -(-whole * percent // 100)
        for place in sorted(numbers):
            if rank <= numbers[place]:
                low = _BOUNDS[place - 1] if place else 0
                yield part, low, _BOUNDS[place] if place < len(_BOUNDS) else _MOST, rank
                break
            rank -= numbers[place]


def _named(key: Any) -> Any:
    """The key, and something in place of none: nothing is equal to none."""
    if isinstance(key.type, Integer):
        return func.coalesce(key, literal_column("0"))
    return func.coalesce(key, literal_column("''")) if type(key.type) in (String, Text) else key


def _place(session: Session, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """How many of the bounds a value has reached; none of none."""
    if sql.is_postgres(session):
        bounds = literal([float(b) for b in _BOUNDS], ARRAY(Float))
        return func.width_bucket(cast(value, Float), bounds)
    return case((value.is_not(None), _halved(value, 0, len(_BOUNDS))))


def _halved(value: ColumnElement[Any], low: int, high: int) -> ColumnElement[Any]:
    if low == high:
        return literal_column(str(low))
    middle = (low + high) // 2
    below, beyond = _halved(value, low, middle), _halved(value, middle + 1, high)
    return case((value < literal_column(str(_BOUNDS[middle])), below), else_=beyond)


def _exact(
    session: Session, rows: Subquery, sought: Sequence[tuple[Any, str, int, int, int]]
) -> Sequence[Any]:
    """The values of these ranks among those between the bounds: key, which percentile, value."""
    wanted = values(
        column("key", rows.c.key.type),
        column("part", String),
        *(column(name, BigInteger) for name in ("low", "high", "rank")),
    )
    by = wanted.data(sought).cte("sought")
    place = func.row_number().over(partition_by=(by.c.key, by.c.part), order_by=rows.c.value).label("place")
    within = (rows.c.key == by.c.key) & (rows.c.value >= by.c.low) & (rows.c.value < by.c.high)
    ranked = select(by.c.key, by.c.part, by.c.rank, rows.c.value, place).join(rows, within).subquery()
    columns = ranked.c
    chosen = select(columns.key, columns.part, columns.value).where(columns.place == columns.rank)
    return session.execute(chosen).all()
