"""Rules that were held back because they went round in circles."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key


class Storm(Base):
    """One rule on one element, or on nothing, that ran too often; from when on it is held back.

    It is over an hour after its runs, or from `resumed_at` on: only what ran since then counts.
    """

    __tablename__ = "storm"
    __table_args__ = (Index("ix_storm_rule_began_at", "rule", "began_at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    rule: Mapped[str]
    runs: Mapped[int]
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    began_at: Mapped[datetime]
    resumed_at: Mapped[datetime | None]
    # Who had it go on, as timelines say it.
    resumed_by: Mapped[str | None]
