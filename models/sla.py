"""The clock from an enquiry to the first answer by a person."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Word, states


class SlaState(StrEnum):
    """Where a clock stands."""

    RUNNING = "running"
    PAUSED = "paused"  # its policy's pause_when is true of the lead
    MET = "met"  # a person answered in time
    LATE = "late"  # a person answered, after the time
    ENDED = "ended"  # the lead was closed before anybody answered


class SlaClock(Base):
    """One lead's clock, started with the lead and moved on by rules.sla alone."""

    __tablename__ = "sla_clock"
    __table_args__ = (
        Index(
            "ix_sla_clock_next_at",
            "next_at",
            postgresql_where=text("next_at is not null"),
            sqlite_where=text("next_at is not null"),
        ),
        Index("ix_sla_clock_started_at", "started_at"),
    )

    lead_id: Mapped[int] = mapped_column(ForeignKey("lead.id"), primary_key=True)
    policy: Mapped[str] = mapped_column(Word)
    # The policy as it was when the clock was started: later changes are for later leads.
    settings: Mapped[dict[str, Any]]
    state: Mapped[SlaState] = mapped_column(states(SlaState), default=SlaState.RUNNING)
    started_at: Mapped[datetime]
    # When the time is up, as long as it runs.
    due_at: Mapped[datetime | None]
    # Seconds that had passed when it was last paused, and since when it runs again.
    elapsed_seconds: Mapped[int] = mapped_column(default=0)
    running_since: Mapped[datetime]
    # The next of its marks in per cent, and its moment; the last that was told.
    next_at: Mapped[datetime | None]
    told_percent: Mapped[int] = mapped_column(default=0)
    # Seconds of the policy's time until the answer; None before, and for what an older release ended.
    taken_seconds: Mapped[int | None]
    breached_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
