"""Who saw and changed what."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Word


class AuditEntry(Base):
    """One look, change, export or erasure; what a change was stands on the element's timeline."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_place_element_id", "place", "element_id"),
        Index("ix_audit_entry_actor_id", "actor", "id"),
        Index("ix_audit_entry_at", "at"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime]
    # As timelines name it: 'user:7', 'token:website'.
    actor: Mapped[str]
    # 'saw', 'listed', 'changed', 'deleted', 'exported', 'erased'.
    action: Mapped[str] = mapped_column(Word)
    # The first part of the address (leads, contacts, …), the element's number, and what of it.
    place: Mapped[str] = mapped_column(Word)
    element_id: Mapped[int | None] = mapped_column(Key)
    what: Mapped[str] = mapped_column(Word, default="")
