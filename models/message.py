"""A mail, in or out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, UuidText, Word, states
from models.lead import Lead


class Direction(StrEnum):
    """Which way a mail went."""

    IN = "in"
    OUT = "out"


class MessageState(StrEnum):
    """Where a mail stands."""

    QUEUED = "queued"  # out: is to be sent once due
    SENDING = "sending"  # out: claimed by a worker until its lease ends
    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"  # it was sent, and came back
    RECEIVED = "received"


class Message(Base):
    """One row a mail. Its files are the attachments whose event is `files_id`.

    `thread` is the `token` of the first mail of ours that a conversation hangs on, or what a conversation
    that somebody else began is named by.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("direction", "effect_key"),
        Index(
            "ix_message_due",
            "due_at",
            postgresql_where=text("state in ('queued', 'sending')"),
            sqlite_where=text("state in ('queued', 'sending')"),
        ),
        Index(
            "ix_message_to_be_filed",
            "file_at",
            postgresql_where=text("file_at IS NOT NULL"),
            sqlite_where=text("file_at IS NOT NULL"),
        ),
        Index("ix_message_to_address_created_at", "to_address", "created_at"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    direction: Mapped[Direction] = mapped_column(states(Direction))
    state: Mapped[MessageState] = mapped_column(states(MessageState))
    # What makes it this one: of a mail out the key of its effect, of one in the event it came with.
    effect_key: Mapped[str] = mapped_column(String(200))
    # With what answers to it are recognised; only mails out have one.
    token: Mapped[str | None] = mapped_column(String(32), unique=True)
    message_id: Mapped[str] = mapped_column(String(500), index=True)
    in_reply_to: Mapped[str] = mapped_column(String(500), default="")
    references: Mapped[list[str]] = mapped_column(default=list)
    thread: Mapped[str] = mapped_column(String(64), index=True)
    mailbox: Mapped[str | None] = mapped_column(Word)
    from_name: Mapped[str] = mapped_column(default="")
    from_address: Mapped[str] = mapped_column(default="", index=True)
    # The first, in small letters.
    to_address: Mapped[str] = mapped_column(default="")
    cc: Mapped[list[str]] = mapped_column(default=list)
    subject: Mapped[str] = mapped_column(default="")
    text: Mapped[str] = mapped_column(default="")
    html: Mapped[str] = mapped_column(default="")
    # The invitation that it carries (RFC 5546), as text; empty for other mails.
    calendar: Mapped[str] = mapped_column(default="", server_default="")
    # Whether a rule or a machine wrote it; a person's mail is not.
    automatic: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str] = mapped_column(default="")
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    # When it is to be laid into the Sent folder, as long as it has to be.
    file_at: Mapped[datetime | None]
    file_tries: Mapped[int] = mapped_column(default=0)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    # Who wrote it, as timelines say it: 'user:7', 'token:website', 'rule:Welcome'.
    actor: Mapped[str] = mapped_column(default="")
    step_id: Mapped[int | None] = mapped_column(Key, index=True)
    event_id: Mapped[str | None] = mapped_column(UuidText)
    files_id: Mapped[str | None] = mapped_column(UuidText)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    lead: Mapped[Lead | None] = relationship()
