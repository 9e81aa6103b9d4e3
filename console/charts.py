"""Reports as pictures: bars whose lengths are set out here, drawn by the template as SVG without a script."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from crm.reports.output import said
from crm.reports.table import Cell, Table

_TIMES = ("day", "week", "month")
_MOST_BARS = 20
_MOST_COLUMNS = 400
_DESCRIBED = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it stands for, its value in words; where it begins and how long it is, in per cent."""

    label: str
    value: str
    start: str
    length: str
    group: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one column of a report. `shape`: `bars` and `funnel` lie below each other, `columns` stand in
    the order of time."""

    shape: Literal["bars", "columns", "funnel"]
    title: str
    measure: str
    description: str
    bars: Sequence[Bar]
    left_out: int


def chart(table: Table) -> Chart | None:
    """The chart of a report's main column; None where there is nothing to draw."""
    keys = [column.key for column in table.columns]
    measured = table.columns[keys.index(table.bar)]
    standing = keys[0] in _TIMES and table.kind != "conversion"
    rows = _each(table, keys.index(table.bar)) if standing else table.rows
    found = [(row, _size(row[keys.index(table.bar)])) for row in rows]
    if not any(size for _, size in found):
        return None
    most = _MOST_COLUMNS if standing else _MOST_BARS
    kept = found[-most:] if standing else found[:most]
    longest = max(size for _, size in kept) or 1
    bars = []
    for place, (row, size) in enumerate(kept):
        share = size / longest * 100
        start = Decimal(place * 100) / len(kept) if standing else Decimal(0)
        if table.kind == "funnel":
            start = (100 - share) / 2
        value = said(row[keys.index(table.bar)], measured)
        group = str(row[keys.index("group")]) if "group" in keys else "open"
        bars.append(Bar(_label(table, row), value, f"{start:.3f}%", f"{share:.3f}%", group))
    told = "; ".join(f"{bar.label}: {bar.value}" for bar in bars[:_DESCRIBED])
    more = len(bars) - _DESCRIBED
    words = f"{told}; and {more} more, as the table says" if more > 0 else told
    shape: Literal["bars", "columns", "funnel"] = "columns" if standing else "bars"
    return Chart(
        "funnel" if table.kind == "funnel" else shape,
        table.title,
        measured.name,
        words,
        bars,
        len(found) - len(kept),
    )


def _each(table: Table, bar: int) -> Sequence[Sequence[Cell]]:
    """A row for each day, week or month, also for those of which there is nothing to count."""
    known = {str(row[0]): row for row in table.rows}
    by, day, last = table.columns[0].key, table.since, table.until
    if day is None or last is None:
        return table.rows
    day -= timedelta(days=day.weekday() if by == "week" else day.day - 1 if by == "month" else 0)
    found = []
    while day <= last:
        empty: list[Cell] = [day.isoformat(), *(None for _ in table.columns[1:])]
        empty[bar] = 0
        found.append(known.get(day.isoformat(), empty))
        step = 7 if by == "week" else monthrange(day.year, day.month)[1] if by == "month" else 1
        day += timedelta(days=step)
    return found


def _size(cell: Cell) -> Decimal:
    return max(Decimal(cell), Decimal(0)) if isinstance(cell, int | Decimal) else Decimal(0)


def _label(table: Table, row: Sequence[Cell]) -> str:
    if table.kind == "funnel":
        what, stage = str(row[0]), str(row[1])
        return f"Leads: {stage.replace('_', ' ')}" if what == "leads" else stage
    if table.kind == "conversion":
        return f"{row[0]} · {row[1]}"
    return str(row[0])
