"""The journal: what arrived, byte for byte, and what became of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.amended import Amended
from models.base import Base, Key, UuidText, Word, states


class EventState(StrEnum):
    """Where an inbound event stands."""

    RECEIVED = "received"  # by the door, in the transaction that made the row
    PROCESSED = "processed"  # by the worker, with all its effects
    FAILED = "failed"  # by the worker: cannot be understood, or tried too often
    IGNORED = "ignored"  # by the worker: understood, asks for nothing
    QUARANTINED = "quarantined"  # by the door or the worker: probably no enquiry


class InboundEvent(Amended, Base):
    """One delivery. Written by the door, moved on by the worker, deleted only by retention."""

    __tablename__ = "inbound_events"
    __table_args__ = (
        UniqueConstraint("source_id", "dedupe_key"),
        Index(
            "ix_inbound_events_waiting",
            "retry_at",
            postgresql_where=text("state = 'received'"),
            sqlite_where=text("state = 'received'"),
        ),
        Index("ix_inbound_events_state_id", "state", "id"),
    )

    id: Mapped[str] = mapped_column(UuidText, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    adapter: Mapped[str] = mapped_column(Word)
    dedupe_key: Mapped[str] = mapped_column(String(200))
    state: Mapped[EventState] = mapped_column(states(EventState), default=EventState.RECEIVED)
    received_at: Mapped[datetime]
    # When it may be tried (again): at once after receipt, later after a failure that may pass.
    retry_at: Mapped[datetime]
    # Each claim counts one: whoever has lost theirs to another worker changes the row no more.
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    processed_at: Mapped[datetime | None]
    error: Mapped[str | None]
    lead_id: Mapped[int | None] = mapped_column(Key, index=True)
    content_type: Mapped[str]
    # What of the request is needed to understand the body: method, url, some headers, sender's address.
    envelope: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)

    __mapper_args__ = {"version_id_col": attempts, "version_id_generator": False}  # noqa: RUF012  read by SQLAlchemy
