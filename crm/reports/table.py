"""What a report answers with: a table whose columns say what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

Kind = Literal["text", "number", "money", "percent", "seconds"]
#: A cell: money and per cent exact, seconds whole, None where there is nothing to say.
Cell = str | int | Decimal | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `kind` says how its cells read."""

    key: str
    name: str
    kind: Kind = "number"


@dataclass(frozen=True, slots=True)
class Table:
    """A report's answer. `currency` is that of its money; `bar` the column that a chart shows."""

    kind: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    since: date | None
    until: date | None
    currency: str
    bar: str
    notes: Sequence[str] = field(default_factory=tuple)


def percent(part: int | Decimal, whole: int | Decimal) -> Decimal | None:
    """In per cent, to one place; None of nothing."""
    if not whole:
        return None
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def rounded(amount: Decimal) -> Decimal:
    """An amount to two places."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def each(total: Decimal, number: int) -> Decimal | None:
    """An amount for each; None for none."""
    return rounded(total / number) if number else None
