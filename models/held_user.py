"""Who is being rung just now: held for a call from the answer to its provider until its row tells so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class HeldUser(Base):
    """One row a user who was ever rung: for which call of which line, and until when no other may."""

    __tablename__ = "held_user"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    group_id: Mapped[str] = mapped_column(String(200))
    until: Mapped[datetime]
