"""A product as it is told, and what may be set on one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from flask_openapi3 import FileStorage
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.body import Line as BodyLine
from api.body import Name, SectionPath, Text
from api.deal_view import shown
from api.elements import Body
from api.parameters import Line, PageQuery, RowId
from core.settings import settings
from models.product import Product as ProductRow


class ProductQuery(PageQuery):
    """The filters of products; a product must fit them all."""

    q: Line | None = Field(None, description="Text in name, number or description, in any case")
    section: SectionPath | None = Field(
        None, description="A section's path; what is in sections within it fits too"
    )
    sku: Line | None = None
    active: bool | None = None
    parent: RowId | None = Field(None, description="Id of the product whose variants are wanted")


class Product(BaseModel):
    """What is sold, or a variant of it."""

    id: int
    sku: str | None
    name: str
    section: str = Field(description="Path of its section, such as Ovens > Gas; empty for none")
    section_id: int | None
    description: str
    unit: str
    prices: dict[str, Decimal] = Field(description="By currency")
    tax_rate: Decimal | None = Field(description="In per cent")
    tax_included: bool = Field(description="Whether the prices have the tax in them")
    parent_id: int | None = Field(description="The product that this is a variant of")
    options: dict[str, str] = Field(description="What makes the variant")
    image_url: str | None = Field(description="Address of a picture elsewhere")
    image: str | None = Field(description="Address of the picture that was handed in")
    active: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: ProductRow) -> Self:
        """A product as it is told."""
        own = ("prices", "tax_rate", "image")
        plain = {name: getattr(row, name) for name in cls.model_fields if name not in own}
        rate = Decimal(f"{row.tax_rate.normalize():f}") if row.tax_rate is not None else None
        prices = {code: shown(Decimal(price)) for code, price in row.prices.items()}
        address = f"{settings().address}/api/v1/products/{row.id}/image" if row.image_place else None
        return cls(prices=prices, tax_rate=rate, image=address, **plain)


class ProductChange(Body):
    """What is to be set on a product."""

    sku: Name | None = None
    name: BodyLine | None = None
    section: SectionPath | None = Field(
        None, description="A path, such as Ovens > Gas: made where it is not there"
    )
    description: Text | None = None
    unit: BodyLine | None = Field(None, max_length=100)
    prices: dict[str, Decimal] | None = Field(None, max_length=100, description="By currency")
    tax_rate: Decimal | None = Field(None, ge=0, le=1000, description="In per cent")
    tax_included: bool | None = None
    parent_id: RowId | None = None
    options: dict[Name, BodyLine] | None = Field(None, max_length=20)
    image_url: BodyLine | None = Field(None, pattern="^https?://")
    active: bool | None = None


def _file(given: object) -> object:
    if not hasattr(given, "stream"):
        raise ValueError("is no file")
    return given


class Picture(BaseModel):
    """A picture of a product."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    file: Annotated[FileStorage, AfterValidator(_file)]
