"""Calls that we place: who asked for one, and what the provider was told to do for it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word, states
from models.call import Call
from models.source import Source
from models.user import User


class CommandState(StrEnum):
    """How far a command has come."""

    WAITING = "waiting"
    RUNNING = "running"  # the provider is being asked
    DONE = "done"
    FAILED = "failed"  # it was not carried out; `error` says why
    UNKNOWN = "unknown"  # asked, and no answer came: it may have been carried out


class CallOrder(Base):
    """One call to place: the agent's telephone first, then the client's.

    `token` is what the provider's events carry back. `handle` is the provider's name for the connection to
    the agent, where it wants to be told.
    """

    __tablename__ = "call_order"
    __table_args__ = (
        Index(
            "ix_call_order_untold",
            "tell_at",
            postgresql_where=text("tell_at IS NOT NULL"),
            sqlite_where=text("tell_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    token: Mapped[str] = mapped_column(Word, unique=True)
    # What a request that is sent again is known by, and what it asked for.
    request_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    request_content: Mapped[str | None] = mapped_column(String(64))
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    call_id: Mapped[int] = mapped_column(ForeignKey("call.id"), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    agent_number: Mapped[str | None] = mapped_column(Word)
    client_number: Mapped[str] = mapped_column(Word, index=True)
    line_number: Mapped[str | None] = mapped_column(Word)
    activity_id: Mapped[int | None] = mapped_column(ForeignKey("activity.id"))
    actor: Mapped[str]
    handle: Mapped[str | None] = mapped_column(String(500))
    # What the agent said came of it; the activities that it completed, and when rules hear of them at last.
    outcome: Mapped[str | None] = mapped_column(Word)
    completed: Mapped[list[Any]] = mapped_column(default=list)
    tell_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    call: Mapped[Call] = relationship(back_populates="order")
    source: Mapped[Source] = relationship()
    user: Mapped[User] = relationship()
    commands: Mapped[list[CallCommand]] = relationship(order_by="CallCommand.id", back_populates="order")


class CallCommand(Base):
    """One thing that the provider is to do for a call, once each: `dial`, `connect`, `hangup`."""

    __tablename__ = "call_command"
    __table_args__ = (
        UniqueConstraint("order_id", "kind"),
        Index(
            "ix_call_command_due",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("call_order.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Word)
    state: Mapped[CommandState] = mapped_column(states(CommandState), default=CommandState.WAITING)
    # When it may be taken; of a running one, when its worker is given up.
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    order: Mapped[CallOrder] = relationship(back_populates="commands")
