"""Recordings of calls, and messages that callers left: fetched from the provider into the storage."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Word, states


class RecordingState(StrEnum):
    """How far it has come."""

    WAITING = "waiting"  # to be fetched
    KEPT = "kept"
    FAILED = "failed"  # could not be fetched; `error` says why
    FORGOTTEN = "forgotten"  # its days are over


class Recording(Base):
    """One recording. `said` is the provider's address or id of it; `place` its key in the storage."""

    __tablename__ = "recording"
    __table_args__ = (
        UniqueConstraint("call_id", "said"),
        Index(
            "ix_recording_waiting",
            "due_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("call.id", ondelete="CASCADE"))
    said: Mapped[str] = mapped_column(String(2000))
    state: Mapped[RecordingState] = mapped_column(states(RecordingState))
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    place: Mapped[str] = mapped_column(default="")
    kind: Mapped[str] = mapped_column(Word, default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    kept_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
