"""The lines of deals: made of products or by hand, and what they come to."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid
from crm import catalogue, changes, money, timeline, workspace
from models.deal import Deal, DealLine
from models.product import Product

_ALL = Decimal(100)


def price_of(product: Product, currency: str) -> Decimal | None:
    """The product's price in a currency; a variant without prices has its parent's."""
    prices = product.prices or (product.parent.prices if product.parent else {})
    written = prices.get(currency)
    return Decimal(written) if written is not None else None


def line(
    session: Session,
    currency: str,
    given: Mapping[str, Any],
    *,
    field: str,
    standing: Container[int | None] = (),
) -> DealLine:
    """A line of what is given, and of its product where nothing is said.

    A product that is switched off only stays where it is `standing` on the deal. Raises Invalid with
    pointers below `field`.
    """
    product = _product(session, given, field)
    if product is not None and not product.active and product.id not in standing:
        by = "product_id" if given.get("product_id") is not None else "sku"
        raise Invalid("some values are not acceptable", {f"{field}/{by}": "is not sold any more"})
    price = given.get("price")
    if price is None and product is not None:
        price = price_of(product, currency)
    name = given.get("name") or (product.name if product else None)
    wrong = {}
    if not name:
        wrong[f"{field}/name"] = "is required"
    if price is None:
        wrong[f"{field}/price"] = f"is required: there is none in {currency}"
    is_amount = given.get("discount_type") == "amount"
    discount = given.get("discount") or Decimal(0)
    if not is_amount and discount > _ALL:
        wrong[f"{field}/discount"] = "is more than 100 per cent"
    if is_amount and price is not None and discount > price * given.get("quantity", Decimal(1)):
        wrong[f"{field}/discount"] = "is more than the line comes to"
    if wrong or price is None:
        raise Invalid("some values are not acceptable", wrong)
    taxed = product if given.get("tax_rate") is None else None
    included = given.get("tax_included")
    return DealLine(
        product_id=product.id if product else None,
        name=name,
        unit=given.get("unit") or (product.unit if product else ""),
        quantity=money.exact(given.get("quantity", Decimal(1)), field=f"{field}/quantity"),
        price=money.exact(price, field=f"{field}/price"),
        discount=money.exact(discount, field=f"{field}/discount"),
        discount_is_amount=is_amount,
        tax_rate=money.exact(
            given.get("tax_rate") or (taxed.tax_rate if taxed else None) or Decimal(0),
            field=f"{field}/tax_rate",
        ),
        tax_included=bool(taxed.tax_included if included is None and taxed else included),
    )


def _product(session: Session, given: Mapping[str, Any], field: str) -> Product | None:
    if given.get("product_id") is not None:
        found, name = session.get(Product, given["product_id"]), "product_id"
    elif given.get("sku") is not None:
        found, name = session.scalars(select(Product).where(Product.sku == given["sku"])).one_or_none(), "sku"
    else:
        return None
    if found is None:
        raise Invalid("some values are not acceptable", {f"{field}/{name}": "is no product"})
    return found


def set_lines(session: Session, deal: Deal, lines: Sequence[DealLine], *, actor: str) -> None:
    """Makes these the deal's lines, in their order; the deal's amount is what they come to.

    Without any the amount stays, and is set by hand again.
    """
    deal.lines = list(lines)
    deal.from_lines = bool(lines)
    for place, line in enumerate(deal.lines):
        line.position = place
    before = deal.amount
    if lines:
        add_up(session, deal)
    deal.updated_at = clock.now()
    session.flush()
    timeline.record(
        session,
        deal,
        kind="lines_changed",
        summary=f"{len(lines)} lines, {deal.amount or 0:,} {deal.currency}",
        actor=actor,
        data={"before": changes.plain(before), "after": changes.plain(deal.amount), "lines": len(lines)},
    )


def add_up(session: Session, deal: Deal) -> None:
    """Works out the lines and the amount anew, rounded as the deal's currency is."""
    unit = catalogue.load(session).currency(deal.currency, workspace.load(session))
    decimals = unit.decimals if unit else 2
    sums = []
    for line in deal.lines:
        found = money.line_sum(
            quantity=line.quantity,
            price=line.price,
            discount=line.discount,
            discount_is_amount=line.discount_is_amount,
            tax_rate=line.tax_rate,
            tax_included=line.tax_included,
            decimals=decimals,
        )
        line.net, line.tax, line.total = found.net, found.tax, found.total
        sums.append(found)
    deal.amount = money.exact(money.total(sums), field="/lines")
