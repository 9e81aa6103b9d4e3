"""The catalogue: what is sold."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.body import Line as BodyLine
from api.body import Name, Text
from api.deal_view import shown
from api.elements import Body, mentions, not_null
from api.paging import Page, page
from api.parameters import Line, PageQuery, RowId, RowPath
from api.resource import answer, gone, group, refused
from core import clock, db
from core.errors import Conflict, Invalid, NotFound
from core.settings import settings
from crm import catalogue, money, workspace
from models.deal import DealLine
from models.product import Product as ProductRow

resource = group("products", "What is sold")


class ProductQuery(PageQuery):
    """The filters of products; a product must fit them all."""

    q: Line | None = Field(None, description="Text in name, number or description, in any case")
    section: Line | None = None
    sku: Line | None = None
    active: bool | None = None
    parent: RowId | None = Field(None, description="Id of the product whose variants are wanted")


class Product(BaseModel):
    """What is sold, or a variant of it."""

    id: int
    sku: str | None
    name: str
    section: str
    description: str
    unit: str
    prices: dict[str, Decimal] = Field(description="By currency")
    tax_rate: Decimal | None = Field(description="In per cent")
    tax_included: bool = Field(description="Whether the prices have the tax in them")
    parent_id: int | None = Field(description="The product that this is a variant of")
    options: dict[str, str] = Field(description="What makes the variant")
    image_url: str | None
    active: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: ProductRow) -> Self:
        """A product as it is told."""
        plain = {name: getattr(row, name) for name in cls.model_fields if name not in ("prices", "tax_rate")}
        rate = Decimal(f"{row.tax_rate.normalize():f}") if row.tax_rate is not None else None
        prices = {code: shown(Decimal(price)) for code, price in row.prices.items()}
        return cls(prices=prices, tax_rate=rate, **plain)


class ProductChange(Body):
    """What is to be set on a product."""

    sku: Name | None = None
    name: BodyLine | None = None
    section: BodyLine | None = None
    description: Text | None = None
    unit: BodyLine | None = Field(None, max_length=100)
    prices: dict[str, Decimal] | None = Field(None, max_length=100, description="By currency")
    tax_rate: Decimal | None = Field(None, ge=0, le=1000, description="In per cent")
    tax_included: bool | None = None
    parent_id: RowId | None = None
    options: dict[Name, BodyLine] | None = Field(None, max_length=20)
    image_url: BodyLine | None = Field(None, pattern="^https?://")
    active: bool | None = None


@resource.get("/products", responses={200: Page[Product]})
def list_products(query: ProductQuery) -> Response:
    """The products and variants that fit all filters, newest first."""
    chosen = select(ProductRow)
    for column, wanted in (
        (ProductRow.section, query.section),
        (ProductRow.sku, query.sku),
        (ProductRow.active, query.active),
        (ProductRow.parent_id, query.parent),
    ):
        if wanted is not None:
            chosen = chosen.where(column == wanted)
    if query.q is not None:
        chosen = chosen.where(mentions((ProductRow.name, ProductRow.sku, ProductRow.description), query.q))
    with db.reading() as session:
        rows, following = page(session, chosen, ProductRow.id, query, of="products")
    return answer(Page[Product](items=[Product.of(row) for row in rows], next_cursor=following))


@resource.get("/products/<row:id>", responses={200: Product, **refused(404)})
def get_product(path: RowPath) -> Response:
    """One product."""
    with db.reading() as session:
        return answer(Product.of(_existing(session, path.id)))


@resource.post("/products", responses={201: Product, **refused(400, 409, 413, 415)})
def create_product(body: ProductChange) -> Response:
    """Makes a product, or a variant of one."""
    with db.unit_of_work() as session:
        values = _values(session, body, None)
        if not values.get("name"):
            raise Invalid("some values are not acceptable", {"/name": "is required"})
        now = clock.now()
        row = ProductRow(created_at=now, updated_at=now, **{k: v for k, v in values.items() if v is not None})
        session.add(row)
        session.flush()
        made = Product.of(row)
    return answer(made, 201, location=f"{settings().address}/api/v1/products/{made.id}")


@resource.patch("/products/<row:id>", responses={200: Product, **refused(400, 404, 409, 413, 415)})
def change_product(path: RowPath, body: ProductChange) -> Response:
    """Sets what is given, and nothing else. Lines of deals stay as they are."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        values = _values(session, body, row)
        not_null(values, *(n for n in values if n not in ("sku", "tax_rate", "parent_id", "image_url")))
        if values.get("name") == "":
            raise Invalid("some values are not acceptable", {"/name": "is empty"})
        for name, value in values.items():
            setattr(row, name, value)
        row.updated_at = clock.now()
        session.flush()
        made = Product.of(row)
    return answer(made)


@resource.delete("/products/<row:id>", responses={204: None, **refused(404, 409)})
def delete_product(path: RowPath) -> Response:
    """Deletes a product that is on no deal and has no variants; others can be made inactive."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        sold = session.scalar(select(DealLine.id).where(DealLine.product_id == row.id).limit(1))
        if sold is not None or row.variants:
            raise Conflict("it is on deals or has variants; it can be made inactive")
        session.delete(row)
    return gone()


def _existing(session: Session, row_id: int, *, lock: bool = False) -> ProductRow:
    row = session.get(ProductRow, row_id, with_for_update=lock)
    if row is None:
        raise NotFound("there is no such product")
    return row


def _values(session: Session, body: ProductChange, row: ProductRow | None) -> dict[str, Any]:
    values = body.model_dump(exclude_unset=True)
    if values.get("prices") is not None:
        values["prices"] = _prices(session, values["prices"])
    if values.get("tax_rate") is not None:
        money.exact(values["tax_rate"], field="/tax_rate")
    if (sku := values.get("sku")) is not None:
        taken = session.scalar(select(ProductRow.id).where(ProductRow.sku == sku))
        if taken is not None and (row is None or taken != row.id):
            raise Conflict(f"product {taken} has the number {sku}")
    if (parent_id := values.get("parent_id")) is not None:
        parent = session.get(ProductRow, parent_id)
        if (
            parent is None
            or parent.parent_id is not None
            or (row is not None and (row.id == parent_id or row.variants))
        ):
            raise Invalid(
                "some values are not acceptable", {"/parent_id": "is no product that can have variants"}
            )
    return values


def _prices(session: Session, prices: dict[str, Decimal]) -> dict[str, str]:
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
