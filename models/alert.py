"""What somebody should look at, and the counts from which silence is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Moment, Word


class Alert(Base):
    """Something that is not as it should be; over when `ended_at` is set, which happens by itself."""

    __tablename__ = "alert"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    #: 'silence', 'mailbox_stopped', 'mailbox_unwatched', 'token_expires'.
    kind: Mapped[str] = mapped_column(Word)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    words: Mapped[str]
    numbers: Mapped[dict[str, Any]]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    #: When managers were told; None while they have to be.
    told_at: Mapped[datetime | None]
    #: Of one kind and source one at a time is open; None once it is over.
    open_key: Mapped[str | None] = mapped_column(String(200), unique=True)


class SourceHour(Base):
    """How many deliveries a source had in an hour (UTC); what its usual rhythm is read from."""

    __tablename__ = "source_hour"

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(Moment(), primary_key=True)
    deliveries: Mapped[int]
