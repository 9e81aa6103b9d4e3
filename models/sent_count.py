"""When a mailbox has handed over mails lately, as far as its rate asks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key


class SentCount(Base):
    """One row a mail, or a try of one; deleted once it is older than the longest of the mailbox's rates."""

    __tablename__ = "sent_count"
    __table_args__ = (Index("ix_sent_count_source_id_at", "source_id", "at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    at: Mapped[datetime]
