"""Everything that happened to an element."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, UuidText, Word


class TimelineEntry(Base):
    """One happening; append-only, written by crm.timeline alone."""

    __tablename__ = "timeline_entry"
    __table_args__ = (Index("ix_timeline_entry_lead_id_id", "lead_id", "id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(Word)
    summary: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Who did it: 'user:7', 'rule:Enterprise enquiries', 'service'.
    actor: Mapped[str]
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"))
    contact_id: Mapped[int | None] = mapped_column(Key)
    event_id: Mapped[str | None] = mapped_column(UuidText)
