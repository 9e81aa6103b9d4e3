"""Looking through a provider's list of calls for those of which we heard nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base
from models.source import Source


class CallCheck(Base):
    """One row a line: the check that is under way, if any, and what came of the last one.

    A check covers `since` to `until`; `following` is the page that comes next, `lease_until` is set while a
    worker has it. `checked_until` is how far all is known to be there.
    """

    __tablename__ = "call_check"
    __table_args__ = (
        Index(
            "ix_call_check_due",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
    )

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"), primary_key=True)
    due_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    since: Mapped[datetime | None]
    until: Mapped[datetime | None]
    following: Mapped[str | None]
    pages: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    # Of the check under way.
    looked: Mapped[int] = mapped_column(default=0)
    found: Mapped[int] = mapped_column(default=0)
    # Of the last one that came to its end; `error` of the last one that did not.
    ended_at: Mapped[datetime | None]
    checked_until: Mapped[datetime | None]
    last_looked: Mapped[int] = mapped_column(default=0)
    last_found: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")

    source: Mapped[Source] = relationship()
