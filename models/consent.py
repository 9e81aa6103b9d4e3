"""What people agreed to, kept as evidence: one row for each time somebody was asked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, UuidText, Word


class ConsentGiven(Base):
    """A question that was asked, in its own words and version, and the answer; never changed."""

    __tablename__ = "consent_given"
    __table_args__ = (UniqueConstraint("event_id", "field"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("lead.id"), index=True)
    event_id: Mapped[str | None] = mapped_column(UuidText)
    source: Mapped[str] = mapped_column(Word)
    field: Mapped[str] = mapped_column(Word)
    text: Mapped[str]
    version: Mapped[str] = mapped_column(Word)
    given: Mapped[bool]
    at: Mapped[datetime]
    # From where: the sender's network address, and the page on which it was asked.
    address: Mapped[str] = mapped_column(Word)
    page: Mapped[str]
