"""Everything that happened to an element."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.appended import Appended
from models.base import Base, Key, UuidText, Word


class TimelineEntry(Appended, Base):
    """One happening; append-only, written by crm.timeline alone.

    It stands on every element it concerns: what happens to a deal is also on its contact and company.
    """

    __tablename__ = "timeline_entry"
    # Behind the id stands what a timeline is filtered by, so that a filter looks at no row in vain.
    __table_args__ = (
        Index("ix_timeline_entry_lead", "lead_id", "id", "kind", "at", "pinned"),
        Index("ix_timeline_entry_contact", "contact_id", "id", "kind", "at", "pinned"),
        Index("ix_timeline_entry_company", "company_id", "id", "kind", "at", "pinned"),
        Index("ix_timeline_entry_deal", "deal_id", "id", "kind", "at", "pinned"),
        # An event that is tried or replayed looks for what it did already.
        Index(
            "ix_timeline_entry_event_id",
            "event_id",
            postgresql_where=text("event_id IS NOT NULL"),
            sqlite_where=text("event_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(Word)
    summary: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Who did it: 'user:7', 'rule:Enterprise enquiries', 'service'.
    actor: Mapped[str]
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"))
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"))
    event_id: Mapped[str | None] = mapped_column(UuidText)
    # Whether somebody wants it at the top.
    pinned: Mapped[bool] = mapped_column(default=False)
