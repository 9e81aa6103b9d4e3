"""The lines of a deal as a table to be filled in: products or things by hand, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from console import auth, chosen, deals, problems
from core import db
from core.errors import Conflict, Invalid
from crm import catalogue, deal_lines
from crm.written import decimal
from models.deal import Deal, DealLine
from models.product import Product

_INPUTS = (
    "product",
    "name",
    "unit",
    "quantity",
    "price",
    "discount",
    "discount_type",
    "tax_rate",
    "tax_included",
)
_NUMBERS = ("quantity", "price", "discount", "tax_rate")
_MOST = 500
_EMPTY = 3
_OFFERED = 500


def form(row_id: int) -> ResponseReturnValue:
    """The lines that there are, and some empty ones."""
    deals.allowed()
    with db.reading() as session:
        row = deals.existing(session, row_id)
        return _page(session, row, [_values(line) for line in row.lines])


def save(row_id: int) -> ResponseReturnValue:
    """Makes these the deal's lines, without those taken `away`; with `do=more` shows more empty ones."""
    deals.allowed()
    columns = {name: request.form.getlist(name)[:_MOST] for name in _INPUTS}
    given = [
        {name: chosen.line(cells[place]) if place < len(cells) else "" for name, cells in columns.items()}
        for place in range(len(columns["name"]))
        if str(place) not in request.form.getlist("away")
    ]
    if request.form.get("do") == "more":
        with db.reading() as session:
            return _page(session, deals.existing(session, row_id), _filled(given))
    try:
        with db.unit_of_work() as session:
            row = deals.held(session, row_id)
            _set(session, row, _filled(given))
    except (Invalid, Conflict) as error:
        mistakes = problems.by_field(error, below="/lines/")
        with db.reading() as session:
            row = deals.existing(session, row_id)
            return _page(session, row, _filled(given), mistakes), 422
    return redirect(url_for("console.deal", row_id=row_id, _anchor="lines"), 303)


def _set(session: Session, row: Deal, given: Sequence[Mapping[str, str]]) -> None:
    if request.form.get("seen") != row.updated_at.isoformat():
        raise Conflict("somebody else has changed it meanwhile: look at it again")
    standing = frozenset(line.product_id for line in row.lines)
    wrong: dict[str, str] = {}
    made: list[DealLine] = []
    for place, line in enumerate(given):
        try:
            read = _read(line, place)
            made.append(
                deal_lines.line(session, row.currency, read, field=f"/lines/{place}", standing=standing)
            )
        except Invalid as error:
            wrong |= error.fields
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    deal_lines.set_lines(session, row, made, actor=f"user:{auth.current_user().id}")


def _filled(given: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Those in which something stands: an empty one is no line, and how one is taken away."""
    return [line for line in given if line["product"] or line["name"]]


def _read(line: Mapping[str, str], place: int) -> dict[str, Any]:
    values: dict[str, Any] = {name: line[name] or None for name in ("name", "unit")}
    wrong: dict[str, str] = {}
    for name in _NUMBERS:
        if line[name]:
            field = f"/lines/{place}/{name}"
            try:
                values[name] = decimal(line[name].rstrip(" %"), field)
            except Invalid as error:
                wrong |= error.fields
            else:
                if values[name] < 0 or (name == "quantity" and not 0 < values[name] < 10**9):
                    wrong[field] = "is too small or too large"
    if (values.get("tax_rate") or Decimal(0)) > 1000:
        wrong[f"/lines/{place}/tax_rate"] = "is no rate in per cent"
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    number = line["product"].removeprefix("#")
    if line["product"].startswith("#") and number.isdecimal() and len(number) < 19:
        values["product_id"] = int(number)
    elif line["product"]:
        values["sku"] = line["product"]
    # Without a word of it, it is the product's.
    if line["tax_included"] or line["tax_rate"] or not line["product"]:
        values["tax_included"] = line["tax_included"] == "yes"
    return {**values, "discount_type": "amount" if line["discount_type"] == "amount" else "percent"}


def _values(line: DealLine) -> dict[str, str]:
    def plain(number: Decimal) -> str:
        return f"{number.normalize():f}"

    product = line.product
    return {
        "product": "" if product is None else product.sku or f"#{product.id}",
        "name": line.name,
        "unit": line.unit,
        "quantity": plain(line.quantity),
        "price": plain(line.price),
        "discount": plain(line.discount) if line.discount else "",
        "discount_type": "amount" if line.discount_is_amount else "percent",
        "tax_rate": plain(line.tax_rate),
        "tax_included": "yes" if line.tax_included else "no",
    }


def _page(
    session: Session,
    row: Deal,
    given: Sequence[Mapping[str, str]],
    mistakes: Mapping[str, str] | None = None,
) -> str:
    offered = select(Product).where(Product.active).order_by(Product.section, Product.name).limit(_OFFERED)
    empty = dict.fromkeys(_INPUTS, "")
    mistaken = {int(place) for name in mistakes or {} if (place := name.partition("-")[0]).isdecimal()}
    first_empty = {len(given)} if not given or request.form.get("do") == "more" else set()
    return render_template(
        "console/deal_lines.html",
        row=row,
        given=[*given, *[empty] * _EMPTY],
        mistakes=mistakes or {},
        open=mistaken | first_empty,
        products=session.scalars(offered).all(),
        units=catalogue.load(session).units,
        price_of=deal_lines.price_of,
    )
