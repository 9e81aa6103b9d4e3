"""Products: found, made, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from crm import catalogue, money, sections, workspace
from models.deal import DealLine
from models.product import Product

_NULLABLE = frozenset({"sku", "tax_rate", "parent_id", "image_url", "section_id"})


def chosen(
    *,
    q: str | None = None,
    section: str | None = None,
    sku: str | None = None,
    active: bool | None = None,
    parent_id: int | None = None,
) -> Select[Product]:
    """The products that fit all of it. `q` is text in name, number or description, in any case; a section
    has what is in the sections within it too, and '' is none."""
    found = select(Product)
    if q is not None:
        columns = (Product.name, Product.sku, Product.description)
        found = found.where(or_(*(column.icontains(q, autoescape=True) for column in columns)))
    if section:
        within = Product.section.startswith(section + sections.BETWEEN, autoescape=True)
        found = found.where(or_(Product.section == section, within))
    elif section is not None:
        found = found.where(Product.section == "")
    for column, wanted in (
        (Product.sku, sku),
        (Product.active, active),
        (Product.parent_id, parent_id),
    ):
        if wanted is not None:
            found = found.where(column == wanted)
    return found


def create(session: Session, values: Mapping[str, Any]) -> Product:
    """Makes a product, or a variant of one (`parent_id`). `section` is a path, `prices` are by currency.

    Raises Invalid with a pointer to each mistake, Conflict where its number is taken.
    """
    checked = _checked(session, values, None)
    if not checked.get("name"):
        raise Invalid("some values are not acceptable", {"/name": "is required"})
    now = clock.now()
    made = Product(created_at=now, updated_at=now, **{k: v for k, v in checked.items() if v is not None})
    session.add(made)
    session.flush()
    return made


def change(session: Session, product: Product, values: Mapping[str, Any]) -> dict[str, Any]:
    """Sets the values; answers with what stood before of what has changed. Lines of deals stay as they are.

    Raises as `create` does.
    """
    checked = _checked(session, values, product)
    wrong = {
        f"/{name}": "cannot be null" if value is None else "is empty"
        for name, value in checked.items()
        if (value is None and name not in _NULLABLE) or (name == "name" and not value)
    }
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    before = {
        name: getattr(product, name) for name, value in checked.items() if getattr(product, name) != value
    }
    if before:
        for name in before:
            setattr(product, name, checked[name])
        product.updated_at = clock.now()
        session.flush()
    return before


def delete(session: Session, product: Product) -> None:
    """Deletes a product. Raises Conflict where it is on a deal, or has variants."""
    sold = session.scalar(select(DealLine.id).where(DealLine.product_id == product.id).limit(1))
    variant = session.scalar(select(Product.id).where(Product.parent_id == product.id).limit(1))
    if sold is not None or variant is not None:
        raise Conflict("it is on deals or has variants; it can be made inactive")
    session.delete(product)
    session.flush()


def _checked(session: Session, given: Mapping[str, Any], product: Product | None) -> dict[str, Any]:
    values = dict(given)
    if "section" in values:
        values |= sections.columns(session, values["section"])
    if values.get("prices") is not None:
        values["prices"] = _prices(session, values["prices"])
    if values.get("tax_rate") is not None:
        money.exact(values["tax_rate"], field="/tax_rate")
    if (sku := values.get("sku")) is not None:
        taken = session.scalar(select(Product.id).where(Product.sku == sku))
        if taken is not None and (product is None or taken != product.id):
            raise Conflict(f"product {taken} has the number {sku}")
    if (parent_id := values.get("parent_id")) is not None:
        parent = session.get(Product, parent_id)
        if (
            parent is None
            or parent.parent_id is not None
            or (product is not None and (product.id == parent_id or product.variants))
        ):
            raise Invalid(
                "some values are not acceptable", {"/parent_id": "is no product that can have variants"}
            )
    return values


def _prices(session: Session, prices: Mapping[str, Decimal]) -> dict[str, str]:
    here, known = workspace.load(session), catalogue.load(session)
    wrong = {}
    for code, price in prices.items():
        if known.currency(code, here) is None:
            wrong[f"/prices/{code}"] = "is none of the workspace's currencies"
        elif not price.is_finite() or price < 0:
            wrong[f"/prices/{code}"] = "is no price"
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    return {c: f"{money.exact(p, field=f'/prices/{c}'):f}" for c, p in prices.items()}
