"""Reports that were saved, and what ways in cost."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word
from models.source import Source
from models.user import User


class SavedReport(Base):
    """A report with its filters under a name; with a schedule, also mailed.

    `filters` are the report's own parameters; `days` stands for the last days up to yesterday, where dates
    are not given. It is made with the rights of `user`, of everybody's where there is none.
    """

    __tablename__ = "saved_report"
    __table_args__ = (
        Index(
            "ix_saved_report_next_at",
            "next_at",
            postgresql_where=text("next_at IS NOT NULL"),
            sqlite_where=text("next_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(Word)
    filters: Mapped[dict[str, Any]]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    # When it is mailed, as crontab(5) in the workspace's zone; in which format, to whom.
    schedule: Mapped[str | None] = mapped_column(String(200))
    format: Mapped[str] = mapped_column(Word, default="xlsx")
    recipients: Mapped[list[str]] = mapped_column(default=list)
    next_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    # Why it could not be made the last time; empty where it could.
    error: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    user: Mapped[User | None] = relationship()


class SourceCost(Base):
    """What a source, or one of its campaigns, cost over some days, both counted."""

    __tablename__ = "source_cost"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), index=True)
    campaign: Mapped[str | None] = mapped_column(String(200))
    since: Mapped[date] = mapped_column(Date)
    until: Mapped[date] = mapped_column(Date)
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    note: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    source: Mapped[Source] = relationship()
