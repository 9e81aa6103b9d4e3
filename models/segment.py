"""Segments: saved choices among leads, contacts or deals."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Word


class Segment(Base):
    """A condition by a name. A living one is whatever it is true of, a static one what it was true of."""

    __tablename__ = "segment"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(Word, unique=True)
    name: Mapped[str]
    # 'lead', 'contact' or 'deal'.
    kind: Mapped[str] = mapped_column(Word)
    condition: Mapped[str]
    living: Mapped[bool] = mapped_column(default=True)
    by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    # When the members of a static one were looked for.
    fixed_at: Mapped[datetime | None]


class SegmentMember(Base):
    """One member of a static segment."""

    __tablename__ = "segment_member"

    segment_id: Mapped[int] = mapped_column(ForeignKey("segment.id", ondelete="CASCADE"), primary_key=True)
    element_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
