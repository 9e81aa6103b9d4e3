"""How a mailbox is watched, how far each of its folders has been read, and what was read there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Json, UuidText, Word


class WatchedMailbox(Base):
    """A mailbox as a whole; noted by whoever watches it, asked by whoever wants something of it."""

    __tablename__ = "watched_mailbox"

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    #: 'watching', 'interrupted' (goes on by itself), 'stopped' (needs somebody), '' (never watched).
    state: Mapped[str] = mapped_column(Word, default="")
    error: Mapped[str] = mapped_column(default="")
    state_since: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    last_message_at: Mapped[datetime | None]
    #: When somebody asked to begin anew, or to compare.
    wake_asked_at: Mapped[datetime | None]
    reconcile_asked_at: Mapped[datetime | None]
    #: What a token endpoint gave us last, sealed, and when signing in with it will come to an end.
    token: Mapped[dict[str, Any]] = mapped_column(default=dict)
    token_expires_at: Mapped[datetime | None]


class MailboxPosition(Base):
    """The last message of a folder that is in the journal; moved in the transaction that journals it."""

    __tablename__ = "mailbox_position"

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    folder: Mapped[str] = mapped_column(Word, primary_key=True)
    uidvalidity: Mapped[int | None] = mapped_column(BigInteger)
    last_uid: Mapped[int] = mapped_column(BigInteger, default=0)
    # What the watcher last saw: 'watching', or the error in words.
    state: Mapped[str] = mapped_column(default="")
    seen_at: Mapped[datetime | None]
    #: What was there before us, up to this UID, counts where it came since `begins_at` (None: all does).
    history_uid: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    begins_at: Mapped[datetime | None]
    #: The setting that `begins_at` follows from; None where an older release began.
    since: Mapped[str | None] = mapped_column(Word)
    reconciled_at: Mapped[datetime | None]
    reconciliation: Mapped[dict[str, Any] | None] = mapped_column(Json)


class MailboxMessage(Base):
    """A message of a folder whose content is in the journal, and what is still to be done with it there."""

    __tablename__ = "mailbox_message"
    __table_args__ = (
        Index(
            "ix_mailbox_message_to_do",
            "source_id",
            "folder",
            postgresql_where=text("to_do IS NOT NULL"),
            sqlite_where=text("to_do IS NOT NULL"),
        ),
    )

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    folder: Mapped[str] = mapped_column(Word, primary_key=True)
    #: As `MailboxPosition.uidvalidity`.
    space: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    uid: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_id: Mapped[str] = mapped_column(UuidText)
    #: 'seen', 'delete', 'move:<folder>': wanted by the workspace and not done yet.
    to_do: Mapped[str | None] = mapped_column(Word)
