"""What forms have seen lately: texts that many send, and proofs of work that are spent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, UuidText, Word


class FormPrint(Base):
    """A digest that came with an event; `slot` tells apart those of one kind that may stand side by side."""

    __tablename__ = "form_print"

    kind: Mapped[str] = mapped_column(Word, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    slot: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[str] = mapped_column(UuidText)
    at: Mapped[datetime] = mapped_column(index=True)
