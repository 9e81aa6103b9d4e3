"""What a provider is told to do for a caller who waits to be put through: ring this telephone, then that."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Word, states
from models.call_order import CommandState


class CallTransfer(Base):
    """One command for a call that came in, each kind once: `first`, `fallback`, `hangup`.

    `handle` is the provider's name for the caller's connection; `number` whom to ring, None for `hangup`.
    """

    __tablename__ = "call_transfer"
    __table_args__ = (
        UniqueConstraint("call_id", "kind"),
        Index(
            "ix_call_transfer_due",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("call.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Word)
    handle: Mapped[str] = mapped_column(String(500))
    number: Mapped[str | None] = mapped_column(Word)
    state: Mapped[CommandState] = mapped_column(states(CommandState), default=CommandState.WAITING)
    # When it may be taken; of a running one, when its worker is given up.
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
