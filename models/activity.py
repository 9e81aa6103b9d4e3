"""A planned action: on an element, or on several at once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word, states
from models.contact import Contact
from models.user import User


class ActivityState(StrEnum):
    """Whether it is still to be done."""

    PLANNED = "planned"
    DONE = "done"
    CANCELLED = "cancelled"


class ParticipantAnswer(StrEnum):
    """What somebody who was invited has answered (RFC 5545 section 3.2.12)."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"


class Activity(Base):
    """A call, meeting, task, e-mail or one of the workspace's own kinds that somebody is to do by a time.

    It hangs on a lead, a contact, a company and a deal, on any of them together. One that comes again has
    its rule (RFC 5545) in `recurrence`: of a series only the next one is a row, and doing it makes the one
    after it.
    """

    __tablename__ = "activity"
    __table_args__ = (
        Index("ix_activity_owner_id_state_due_at", "owner_id", "state", "due_at"),
        Index(
            "ix_activity_untold",
            "due_at",
            postgresql_where=text("state = 'planned' and told < 2"),
            sqlite_where=text("state = 'planned' and told < 2"),
        ),
        *(
            # What is planned on an element is counted without looking at what was done on it.
            Index(
                f"ix_activity_planned_{column}",
                column,
                "due_at",
                postgresql_where=text("state = 'planned'"),
                sqlite_where=text("state = 'planned'"),
            )
            for column in ("lead_id", "deal_id", "contact_id", "company_id")
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    type: Mapped[str] = mapped_column(Word)
    subject: Mapped[str]
    due_at: Mapped[datetime]
    # How long it takes; None where nobody said.
    minutes: Mapped[int | None]
    # Where, and what else is to be known about it.
    place: Mapped[str] = mapped_column(default="", server_default="")
    note: Mapped[str] = mapped_column(default="", server_default="")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[ActivityState] = mapped_column(states(ActivityState), default=ActivityState.PLANNED)
    # What came of it: one of its type's outcomes, and in words.
    outcome: Mapped[str | None]
    result: Mapped[str] = mapped_column(default="", server_default="")
    urgency: Mapped[int] = mapped_column(default=0)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    # What rules were told of it: 0 nothing, 1 that it is due, 2 that it is overdue.
    told: Mapped[int] = mapped_column(default=0)
    # Which effect made it; a second attempt at the same effect finds it here.
    effect_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    # When it comes again: RRULE, the zone it is counted in, the first of the series with its moment, and
    # which place in the series this one has, also where it was moved.
    recurrence: Mapped[str | None] = mapped_column(String(500))
    zone: Mapped[str | None] = mapped_column(Word)
    series_id: Mapped[int | None] = mapped_column(Key, index=True)
    series_start: Mapped[datetime | None]
    slot_at: Mapped[datetime | None]
    # Whether participants are invited by mail, and how often what the invitation says was changed.
    invites: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    sequence: Mapped[int] = mapped_column(default=0, server_default="0")

    owner: Mapped[User | None] = relationship()
    participants: Mapped[list[ActivityParticipant]] = relationship(
        order_by="ActivityParticipant.id", cascade="all, delete-orphan"
    )
    reminders: Mapped[list[ActivityReminder]] = relationship(
        order_by="ActivityReminder.minutes", cascade="all, delete-orphan"
    )


class ActivityParticipant(Base):
    """Somebody who takes part: a user, a contact, or whoever has an address, to be invited at `email`."""

    __tablename__ = "activity_participant"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    name: Mapped[str] = mapped_column(default="")
    email: Mapped[str | None]
    # What they said to the invitation as it stands, and when; None where nothing yet.
    answer: Mapped[ParticipantAnswer | None] = mapped_column(states(ParticipantAnswer))
    answered_at: Mapped[datetime | None]

    user: Mapped[User | None] = relationship()
    contact: Mapped[Contact | None] = relationship()


class ActivityReminder(Base):
    """One reminder: so many minutes before the time, told once. `at` is None where nothing is to be told."""

    __tablename__ = "activity_reminder"
    __table_args__ = (
        Index(
            "ix_activity_reminder_at",
            "at",
            postgresql_where=text("at IS NOT NULL"),
            sqlite_where=text("at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id", ondelete="CASCADE"), index=True)
    minutes: Mapped[int]
    at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]


class CalendarFeed(Base):
    """A secret address at which a user's activities can be read as a calendar: only its hash is kept."""

    __tablename__ = "calendar_feed"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()
