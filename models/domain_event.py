"""What happened, for whoever asks from outside: one row for each domain event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.appended import Appended
from models.base import Base, Key, UuidText, Word


class DomainEvent(Appended, Base):
    """One event, written in the transaction of what it tells.

    `position` is its place in the feed, given when the feed is read: whatever commits later comes later.
    """

    __tablename__ = "domain_event"
    __table_args__ = (
        Index(
            "ix_domain_event_unplaced",
            "id",
            postgresql_where=text("position IS NULL"),
            sqlite_where=text("position IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    event_id: Mapped[str] = mapped_column(UuidText)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(Word)
    lead_id: Mapped[int | None] = mapped_column(Key, index=True)
    # What it says beside the element: what the trigger's fields say, the call, the activity.
    data: Mapped[dict[str, Any]]
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)


class FeedEnd(Base):
    """One row: the last place in the feed that was given away."""

    __tablename__ = "feed_end"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
