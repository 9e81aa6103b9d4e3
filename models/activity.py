"""A planned action on an element."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word, states
from models.user import User


class ActivityState(StrEnum):
    """Whether it is still to be done."""

    PLANNED = "planned"
    DONE = "done"
    CANCELLED = "cancelled"


class Activity(Base):
    """A call, meeting, task or e-mail that somebody is to do by a time."""

    __tablename__ = "activity"
    __table_args__ = (
        Index("ix_activity_owner_id_state_due_at", "owner_id", "state", "due_at"),
        Index(
            "ix_activity_untold",
            "due_at",
            postgresql_where=text("state = 'planned' and told < 2"),
            sqlite_where=text("state = 'planned' and told < 2"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    type: Mapped[str] = mapped_column(Word)
    subject: Mapped[str]
    due_at: Mapped[datetime]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[ActivityState] = mapped_column(states(ActivityState), default=ActivityState.PLANNED)
    outcome: Mapped[str | None]
    urgency: Mapped[int] = mapped_column(default=0)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    # What rules were told of it: 0 nothing, 1 that it is due, 2 that it is overdue.
    told: Mapped[int] = mapped_column(default=0)
    # Which effect made it; a second attempt at the same effect finds it here.
    effect_key: Mapped[str | None] = mapped_column(String(200), unique=True)

    owner: Mapped[User | None] = relationship()
