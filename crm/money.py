"""Money: exact, rounded as its currency is, and what the lines of a deal come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from core.errors import Invalid

#: The database keeps so many digits before the point, and four behind it.
MOST = Decimal(10) ** 14
_HUNDRED = Decimal(100)


def exact(value: Decimal, *, field: str, places: int = 4) -> Decimal:
    """The number, if it is one that can be kept. Raises Invalid, naming `field`."""
    if not value.is_finite() or abs(value) >= MOST:
        raise Invalid("some values are not acceptable", {field: "has too many digits"})
    if -int(value.normalize().as_tuple().exponent) > places:
        raise Invalid("some values are not acceptable", {field: f"has more than {places} decimal places"})
    return value


def rounded(amount: Decimal, decimals: int) -> Decimal:
    """The amount with so many decimal places, halves away from zero as in trade."""
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Sum:
    """What a line comes to: without its tax, the tax, and with it."""

    net: Decimal
    tax: Decimal
    total: Decimal


def line_sum(
    *,
    quantity: Decimal,
    price: Decimal,
    discount: Decimal,
    discount_is_amount: bool,
    tax_rate: Decimal,
    tax_included: bool,
    decimals: int,
) -> Sum:
    """A line's sum. The discount comes off the price as it is written, with the tax where it is in it."""
    full = quantity * price
    off = discount if discount_is_amount else full * discount / _HUNDRED
    charged = rounded(full - off, decimals)
    if tax_included:
        net = rounded(charged * _HUNDRED / (_HUNDRED + tax_rate), decimals)
        return Sum(net, charged - net, charged)
    tax = rounded(charged * tax_rate / _HUNDRED, decimals)
    return Sum(charged, tax, charged + tax)


def total(sums: Iterable[Sum]) -> Decimal:
    """What lines come to together."""
    return sum((line.total for line in sums), Decimal(0))
