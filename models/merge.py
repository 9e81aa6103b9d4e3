"""Merges: what was made one, and all that is needed to make it two again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Word


class Merge(Base):
    """One element that became part of another of its kind; written by crm.merging alone.

    `changed` are the survivor's columns by name (of custom fields `fields.<key>`): what stood before and what
    stands since. `gone` is the same of the one that became part. `moved` says table by table which rows
    hang on the survivor since, which were taken away because it had its like, and which were altered.
    """

    __tablename__ = "merge"
    __table_args__ = (
        Index("ix_merge_kind_survivor_id", "kind", "survivor_id"),
        Index("ix_merge_kind_merged_id", "kind", "merged_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    # 'lead', 'contact' or 'company'.
    kind: Mapped[str] = mapped_column(Word)
    survivor_id: Mapped[int] = mapped_column(Key)
    merged_id: Mapped[int] = mapped_column(Key)
    # As timelines name it: 'user:7', 'token:website', 'rule:Welcome', 'service'.
    by: Mapped[str]
    why: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
    changed: Mapped[dict[str, Any]]
    gone: Mapped[dict[str, Any]]
    moved: Mapped[list[Any]]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]
