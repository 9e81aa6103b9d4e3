"""How far a mailbox has been read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Word


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
