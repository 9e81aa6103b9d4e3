"""What makes deals again: a deal as it stood, and the rule by which it comes again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word
from models.pipeline import Stage
from models.source import Source
from models.user import User


class DealTemplate(Base):
    """One row a template. The deals it makes, and the one it was made from, refer to it.

    `contacts` are the further ones (`contact_id`, `role`), `lines` what crm.deal_lines keeps of each, both
    as they stood. `next_at` is empty once it has ended: by its rule, or since no deal could be made.
    """

    __tablename__ = "deal_template"
    __table_args__ = (
        Index(
            "ix_deal_template_next_at",
            "next_at",
            postgresql_where=text("next_at IS NOT NULL"),
            sqlite_where=text("next_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    title: Mapped[str]
    # In which its deals begin.
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    amount: Mapped[Decimal | None]
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[list[Any]] = mapped_column(default=list)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    contacts: Mapped[list[Any]] = mapped_column(default=list)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id"))
    tags: Mapped[list[str]] = mapped_column(default=list)
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # RRULE (RFC 5545), the zone it is counted in, and the first of its moments.
    recurrence: Mapped[str] = mapped_column(String(500))
    zone: Mapped[str] = mapped_column(Word)
    starts_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    paused: Mapped[bool] = mapped_column(default=False)
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str] = mapped_column(default="")
    # How many deals it has made.
    made: Mapped[int] = mapped_column(default=0)
    # Who made it: see crm.timeline.
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    stage: Mapped[Stage] = relationship()
    owner: Mapped[User | None] = relationship()
    source: Mapped[Source | None] = relationship()
