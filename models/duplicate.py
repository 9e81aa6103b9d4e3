"""Pairs that may be one, and how far was looked for them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Word, states


class PairState(StrEnum):
    """What people made of it."""

    OPEN = "open"
    DISMISSED = "dismissed"  # they are two
    MERGED = "merged"


class DuplicatePair(Base):
    """Two of one kind that may be the same; `first_id` is the smaller. Found once, whatever became of it."""

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        UniqueConstraint("kind", "first_id", "second_id"),
        Index("ix_duplicate_pair_state_id", "state", "id"),
        Index("ix_duplicate_pair_kind_second_id", "kind", "second_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    # 'lead', 'contact' or 'company'.
    kind: Mapped[str] = mapped_column(Word)
    first_id: Mapped[int] = mapped_column(Key)
    second_id: Mapped[int] = mapped_column(Key)
    # In per cent, and in words.
    score: Mapped[int]
    why: Mapped[str]
    state: Mapped[PairState] = mapped_column(states(PairState), default=PairState.OPEN)
    found_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]


class DuplicateSweep(Base):
    """How far the sweep has come with one kind: what is new by number, and once a day what was changed."""

    __tablename__ = "duplicate_sweep"

    kind: Mapped[str] = mapped_column(Word, primary_key=True)
    # All up to here have been looked at once.
    last_id: Mapped[int] = mapped_column(Key, default=0)
    # The round over what was changed since `since`: up to where, None between rounds; when it began.
    round_id: Mapped[int | None] = mapped_column(Key)
    since: Mapped[datetime]
    began_at: Mapped[datetime]
