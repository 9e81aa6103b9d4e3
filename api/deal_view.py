"""A deal as it is told, and what may be set on one."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, Field
from sqlalchemy.orm import joinedload, selectinload

from api.body import Line, Name
from api.elements import Body, SourcedBody
from api.parameters import RowId
from api.users import Owner
from models.deal import Deal as DealRow
from models.deal import DealContact, DealLine, StageStay
from models.pipeline import StageGroup

SHOWN = (
    joinedload(DealRow.owner),
    joinedload(DealRow.stage),
    joinedload(DealRow.pipeline),
    joinedload(DealRow.source),
    selectinload(DealRow.contacts).joinedload(DealContact.contact),
)


def shown(amount: Decimal | None) -> Decimal | None:
    """An amount without places that say nothing, and with two at least."""
    if amount is None:
        return None
    short = amount.normalize()
    return short if -int(short.as_tuple().exponent) > 2 else amount.quantize(Decimal("0.01"))


class Part(Body):
    """A further contact of a deal."""

    contact_id: RowId
    role: Line = Field("", max_length=100, description="What they are in it")


class Stay(BaseModel):
    """A deal's time in one stage."""

    stage: str
    entered_at: datetime
    left_at: datetime | None
    actor: str

    @classmethod
    def of(cls, row: StageStay) -> Self:
        """A stay as it is told."""
        return cls(stage=row.stage.key, entered_at=row.entered_at, left_at=row.left_at, actor=row.actor)


class DealLineView(BaseModel):
    """One thing of a deal, and what it comes to."""

    id: int
    product_id: int | None
    name: str
    unit: str
    quantity: Decimal
    price: Decimal
    discount: Decimal
    discount_type: str = Field(description="percent or amount")
    tax_rate: Decimal
    tax_included: bool
    net: Decimal
    tax: Decimal
    total: Decimal

    @classmethod
    def of(cls, row: DealLine) -> Self:
        """A line as it is told."""
        amounts = {name: shown(getattr(row, name)) for name in ("price", "net", "tax", "total")}
        exact = {n: Decimal(f"{getattr(row, n).normalize():f}") for n in ("quantity", "discount", "tax_rate")}
        return cls(
            id=row.id,
            product_id=row.product_id,
            name=row.name,
            unit=row.unit,
            discount_type="amount" if row.discount_is_amount else "percent",
            tax_included=row.tax_included,
            **amounts,
            **exact,
        )


class LineBody(Body):
    """One thing of a deal. What is left out is the product's."""

    product_id: RowId | None = None
    sku: Name | None = Field(None, description="In the place of product_id")
    name: Line | None = None
    unit: Line | None = Field(None, max_length=100)
    quantity: Decimal = Field(Decimal(1), gt=0, lt=10**9)
    price: Decimal | None = Field(None, ge=0)
    discount: Decimal = Field(Decimal(0), ge=0)
    discount_type: str = Field("percent", pattern="^(percent|amount)$", description="percent or amount")
    tax_rate: Decimal | None = Field(None, ge=0, le=1000, description="In per cent")
    tax_included: bool | None = Field(None, description="Whether the price has the tax in it")


class Deal(BaseModel):
    """What is to be sold to whom, and how far that has come."""

    id: int
    number: str
    title: str
    pipeline: str
    stage: str
    state: StageGroup
    amount: Decimal | None
    currency: str
    from_lines: bool = Field(description="Whether the amount is what the lines come to")
    probability: int = Field(description="In per cent; the stage's where none was set")
    expected_close: date | None
    owner: Owner | None
    company_id: int | None
    contact_id: int | None
    contacts: list[Part] = Field(description="The further ones")
    lead_id: int | None = Field(description="The lead it came from")
    source: str | None
    template_id: int | None = Field(description="By which it comes again: made from it, or what made it")
    tags: list[str]
    fields: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    stage_since: datetime
    closed_at: datetime | None
    closing_reason: str | None
    closing_note: str

    @classmethod
    def of(cls, row: DealRow) -> Self:
        """A deal as it is told."""
        return cls(
            id=row.id,
            number=row.number,
            title=row.title,
            pipeline=row.pipeline.key,
            stage=row.stage.key,
            state=row.state,
            amount=shown(row.amount),
            currency=row.currency,
            from_lines=row.from_lines,
            probability=row.stage.probability if row.probability is None else row.probability,
            expected_close=row.expected_close,
            owner=Owner.of(row.owner),
            company_id=row.company_id,
            contact_id=row.contact_id,
            contacts=[Part(contact_id=c.contact_id, role=c.role) for c in row.contacts],
            lead_id=row.lead_id,
            source=row.source.key if row.source else None,
            template_id=row.template_id,
            tags=row.tags,
            fields=row.fields,
            created_at=row.created_at,
            updated_at=row.updated_at,
            stage_since=row.stage_since,
            closed_at=row.closed_at,
            closing_reason=row.closing_reason,
            closing_note=row.closing_note,
        )


class DealChange(SourcedBody):
    """What is to be set on a deal."""

    title: Line | None = None
    pipeline: Line | None = Field(None, description="The pipeline's key; the first where none is said")
    stage: Line | None = Field(None, description="The stage's key; the first where none is said")
    reason: Line | None = Field(None, description="For a stage that closes: key of a closing reason")
    amount: Decimal | None = None
    currency: Line | None = Field(None, pattern="^[A-Z]{3}$", description="The workspace's if left out")
    probability: int | None = Field(None, ge=0, le=100, description="In per cent; null: the stage's")
    expected_close: date | None = None
    company_id: RowId | None = None
    contact_id: RowId | None = None
    contacts: list[Part] | None = Field(None, max_length=50, description="The further ones")
    lines: list[LineBody] | None = Field(None, max_length=500)
