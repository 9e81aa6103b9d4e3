"""What people are told in the console."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key
from models.user import User

_UNREAD = text("read_at IS NULL")


class Notification(Base):
    """One line for one user, until they have read it; kept for ninety days.

    `effect_key` makes it once for each of them, however often the step that wrote it is tried.
    """

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("user_id", "effect_key"),
        Index("ix_notification_user_id_id", "user_id", "id"),
        Index("ix_notification_unread", "user_id", postgresql_where=_UNREAD, sqlite_where=_UNREAD),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    effect_key: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(index=True)
    text: Mapped[str]
    # Who tells it, as timelines say it: 'rule:Welcome', 'service'.
    actor: Mapped[str]
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    read_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()
