"""Sums of money by key, exact, in the workspace's currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from crm.reports.asked import Asked
from crm.reports.table import rounded


@dataclass(slots=True)
class Amounts:
    """By key; what is in a currency without a rate is left out, and noted."""

    totals: dict[Any, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    unknown: set[str] = field(default_factory=set)

    def add(self, asked: Asked, key: Any, currency: str, amount: Decimal | None) -> None:
        """Adds a sum in a currency."""
        rate = asked.rates.get(currency)
        if rate is None:
            self.unknown.add(currency)
        elif amount is not None:
            self.totals[key] += amount * rate

    def total(self, key: Any) -> Decimal:
        """The sum under a key."""
        return rounded(self.totals.get(key, Decimal(0)))

    @property
    def notes(self) -> Sequence[str]:
        """What was left out."""
        return [f"Amounts in {code} are left out: it has no rate" for code in sorted(self.unknown)]
