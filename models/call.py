"""A telephone call, put together from its provider's events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word, states
from models.recording import Recording
from models.source import Source
from models.user import User

if TYPE_CHECKING:
    from models.call_order import CallOrder


class CallResult(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    MISSED = "missed"
    BUSY = "busy"
    FAILED = "failed"
    VOICEMAIL = "voicemail"
    ABANDONED = "abandoned"


class Call(Base):
    """One call on one line, whatever the number and order of its events.

    `facts` is what each event said, by kind; all other columns follow from it. `group_id` is what the
    provider's events share, which for some is another name than the call's own.
    """

    __tablename__ = "call"
    __table_args__ = (
        UniqueConstraint("source_id", "group_id"),
        Index(
            "ix_call_under_way",
            "heard_at",
            postgresql_where=text("result IS NULL"),
            sqlite_where=text("result IS NULL"),
        ),
        Index("ix_call_rung_user_id_rung_at", "rung_user_id", "rung_at"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    provider: Mapped[str] = mapped_column(Word)
    group_id: Mapped[str] = mapped_column(String(200))
    provider_call_id: Mapped[str] = mapped_column(String(200), index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    direction: Mapped[str | None] = mapped_column(Word)
    from_number: Mapped[str | None] = mapped_column(index=True)
    to_number: Mapped[str | None]
    result: Mapped[CallResult | None] = mapped_column(states(CallResult))
    ring_seconds: Mapped[int | None]
    talk_seconds: Mapped[int | None]
    started_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    # Who answered, in the provider's words, and the user of that name.
    answered_by: Mapped[str | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    # Whom the caller was put through to, where the provider asked: in whose turn, at which number, and why.
    rung_user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    rung_number: Mapped[str | None] = mapped_column(Word)
    rung_why: Mapped[str | None]
    rung_at: Mapped[datetime | None]
    recording_url: Mapped[str | None]
    transcript: Mapped[str | None]
    # Why it counts as over though the provider never said so.
    closed_reason: Mapped[str | None]
    # When the last event of it came.
    heard_at: Mapped[datetime]
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    # Whether rules were told that it began.
    start_told: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]

    source: Mapped[Source] = relationship()
    user: Mapped[User | None] = relationship(foreign_keys=user_id)
    rung_user: Mapped[User | None] = relationship(foreign_keys=rung_user_id)
    recordings: Mapped[list[Recording]] = relationship(order_by=Recording.id, viewonly=True)
    order: Mapped[CallOrder | None] = relationship("CallOrder", back_populates="call", uselist=False)
