"""A deal: what is to be sold to whom, for how much, and how far that has come."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word, states
from models.company import Company
from models.contact import Contact
from models.deal_template import DealTemplate
from models.lead import Lead
from models.pipeline import Pipeline, Stage, StageGroup
from models.product import Product
from models.source import Source
from models.user import User


class Deal(Base):
    """One row a deal. `state` is its stage's group, kept here so that open deals are found at once.

    `amount` is in `currency`; by hand, or the sum of its lines where `from_lines` says so.
    """

    __tablename__ = "deal"
    __table_args__ = (
        Index("ix_deal_owner_id_state", "owner_id", "state"),
        Index("ix_deal_stage_id_id", "stage_id", "id"),
        Index("ix_deal_contact_id_state", "contact_id", "state"),
        Index("ix_deal_state_id", "state", "id"),
        Index(
            "ix_deal_waits",
            "owner_id",
            postgresql_where=text("waits_since IS NOT NULL"),
            sqlite_where=text("waits_since IS NOT NULL"),
        ),
        Index(
            "ix_deal_template_id",
            "template_id",
            postgresql_where=text("template_id IS NOT NULL"),
            sqlite_where=text("template_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    # As the workspace's template for numbers writes it.
    number: Mapped[str] = mapped_column(Word, default="", index=True)
    title: Mapped[str]
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id"))
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    state: Mapped[StageGroup] = mapped_column(states(StageGroup), default=StageGroup.OPEN)
    amount: Mapped[Decimal | None]
    currency: Mapped[str] = mapped_column(String(3))
    from_lines: Mapped[bool] = mapped_column(default=False)
    # In per cent; None: the stage's.
    probability: Mapped[int | None]
    expected_close: Mapped[date | None] = mapped_column(Date)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    # Where it came from.
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id"))
    # By what it comes again: the template made from it, or that made it.
    template_id: Mapped[int | None] = mapped_column(ForeignKey("deal_template.id"))
    tags: Mapped[list[str]] = mapped_column(default=list)
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]
    # Since when it is in its stage.
    stage_since: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    # The key of a closing reason, and what was said beside it.
    closing_reason: Mapped[str | None] = mapped_column(Word)
    closing_note: Mapped[str] = mapped_column(default="")
    # Of how many days without anything done rules were told.
    idle_days: Mapped[int] = mapped_column(default=0)
    # Since when a mail or a missed call waits for an answer.
    waits_since: Mapped[datetime | None]

    pipeline: Mapped[Pipeline] = relationship()
    stage: Mapped[Stage] = relationship()
    owner: Mapped[User | None] = relationship()
    company: Mapped[Company | None] = relationship()
    contact: Mapped[Contact | None] = relationship()
    lead: Mapped[Lead | None] = relationship()
    source: Mapped[Source | None] = relationship()
    template: Mapped[DealTemplate | None] = relationship()
    contacts: Mapped[list[DealContact]] = relationship(
        order_by="DealContact.position", cascade="all, delete-orphan"
    )
    lines: Mapped[list[DealLine]] = relationship(
        order_by="(DealLine.position, DealLine.id)", cascade="all, delete-orphan"
    )
    stays: Mapped[list[StageStay]] = relationship(order_by="StageStay.id", cascade="all, delete-orphan")


class DealContact(Base):
    """A further contact of a deal, and what they are in it."""

    __tablename__ = "deal_contact"

    deal_id: Mapped[int] = mapped_column(ForeignKey("deal.id", ondelete="CASCADE"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(Word, default="")
    position: Mapped[int] = mapped_column(default=0)

    contact: Mapped[Contact] = relationship()


class DealLine(Base):
    """One thing of a deal: how much of it, at what price. Money is in the deal's currency.

    `discount` is per cent of the price, or an amount off the whole line where `discount_is_amount`.
    `net`, `tax` and `total` follow from the others: see crm.money.
    """

    __tablename__ = "deal_line"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    deal_id: Mapped[int] = mapped_column(ForeignKey("deal.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    name: Mapped[str]
    unit: Mapped[str] = mapped_column(Word, default="")
    quantity: Mapped[Decimal]
    price: Mapped[Decimal]
    discount: Mapped[Decimal] = mapped_column(default=Decimal(0))
    discount_is_amount: Mapped[bool] = mapped_column(default=False)
    tax_rate: Mapped[Decimal] = mapped_column(default=Decimal(0))
    tax_included: Mapped[bool] = mapped_column(default=False)
    net: Mapped[Decimal] = mapped_column(default=Decimal(0))
    tax: Mapped[Decimal] = mapped_column(default=Decimal(0))
    total: Mapped[Decimal] = mapped_column(default=Decimal(0))

    product: Mapped[Product | None] = relationship()


class StageStay(Base):
    """A deal's time in one stage: from when it came until it left."""

    __tablename__ = "stage_stay"
    __table_args__ = (Index("ix_stage_stay_stage_id_entered_at", "stage_id", "entered_at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    deal_id: Mapped[int] = mapped_column(ForeignKey("deal.id", ondelete="CASCADE"), index=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    entered_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    # Who moved it here: see crm.timeline.
    actor: Mapped[str]

    stage: Mapped[Stage] = relationship()
