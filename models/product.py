"""The catalogue: what is sold."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word


class Section(Base):
    """A section of the catalogue, or a part of one. `path` is its name behind those around it: see
    crm.sections."""

    __tablename__ = "product_section"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("product_section.id"), index=True)
    name: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    # Among those in the same section; of equal ones the name decides.
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Product(Base):
    """A product, or one variant of one: a variant is a product with a `parent` and `options` of its own.

    `prices` are amounts as text by currency code: a variant without prices has its parent's. `section` is
    the path of its section, kept here so that lists and exports need no other row.
    """

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    sku: Mapped[str | None] = mapped_column(Word, unique=True)
    name: Mapped[str] = mapped_column(index=True)
    section_id: Mapped[int | None] = mapped_column(ForeignKey("product_section.id"), index=True)
    section: Mapped[str] = mapped_column(default="", index=True)
    description: Mapped[str] = mapped_column(default="")
    unit: Mapped[str] = mapped_column(Word, default="")
    prices: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # In per cent, and whether the prices have it in them.
    tax_rate: Mapped[Decimal | None]
    tax_included: Mapped[bool] = mapped_column(default=False)
    # What makes the variant, such as {"size": "L"}.
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    image_url: Mapped[str | None]
    # Of a picture that was handed in: where it lies in the storage, its media type, its size in bytes.
    image_place: Mapped[str | None]
    image_kind: Mapped[str | None] = mapped_column(Word)
    image_size: Mapped[int | None]
    active: Mapped[bool] = mapped_column(default=True)
    # Whether the workspace file names it; only those does it switch off by leaving them out.
    from_file: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    variants: Mapped[list[Product]] = relationship(
        foreign_keys="Product.parent_id", order_by="Product.id", viewonly=True
    )
    parent: Mapped[Product | None] = relationship(
        remote_side="Product.id", foreign_keys="Product.parent_id", viewonly=True
    )
