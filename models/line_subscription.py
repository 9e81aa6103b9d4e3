"""Looking after the webhooks of a line whose provider sends them for a limited time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Word
from models.source import Source


class LineSubscription(Base):
    """One row a line: the provider's subscription that tells us of its calls, and when it is looked after.

    `asked` is a digest of what it says (address, secret, events): another one has to be told to the provider.
    `lease_until` is set while a worker has it. `error` is of the last time, where that failed.
    """

    __tablename__ = "line_subscription"
    __table_args__ = (
        Index(
            "ix_line_subscription_due",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
    )

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"), primary_key=True)
    provider_id: Mapped[str | None] = mapped_column(Word)
    asked: Mapped[str] = mapped_column(String(64), default="")
    expires_at: Mapped[datetime | None]
    renewed_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")

    source: Mapped[Source] = relationship()
