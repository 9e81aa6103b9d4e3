"""The configured ways in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core import clock
from models.base import Base, Key, Word, states


class Channel(StrEnum):
    """The kind of a source."""

    FORM = "form"
    EMAIL = "email"
    CALL = "call"
    IMPORT = "import"
    API = "api"
    WEBHOOK = "webhook"
    #: Named by people: a fair, a recommendation. What comes by hand, over the API or in a file may be of it.
    OWN = "own"


class Source(Base):
    """One way in: a form, a mailbox, a line, the API.

    `settings` is the workspace file's own text of it, with secrets sealed.
    """

    __tablename__ = "source"
    __table_args__ = (UniqueConstraint("channel", "key"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    channel: Mapped[Channel] = mapped_column(states(Channel))
    key: Mapped[str] = mapped_column(Word)
    name: Mapped[str]
    settings: Mapped[dict[str, Any]]
    active: Mapped[bool] = mapped_column(default=True)
    #: None for what an older release declared.
    created_at: Mapped[datetime | None] = mapped_column(default=clock.now)
