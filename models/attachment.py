"""Files that came with an enquiry: what is known of them. Their content is in the storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Json, Key, UuidText, Word


class Attachment(Base):
    """One file. Its name is the sender's word, shown to people and never used as a path."""

    __tablename__ = "attachment"
    __table_args__ = (
        UniqueConstraint("event_id", "position"),
        Index(
            "ix_attachment_to_be_fetched",
            "fetch_at",
            postgresql_where=text("fetch_at IS NOT NULL"),
            sqlite_where=text("fetch_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    event_id: Mapped[str] = mapped_column(UuidText)
    position: Mapped[int]
    name: Mapped[str]
    # By content, not by what the sender said.
    kind: Mapped[str] = mapped_column(Word)
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    # Where it lies in the storage; empty where it was not taken, for the reason given.
    place: Mapped[str]
    refused: Mapped[str] = mapped_column(Word, default="")
    # Where it lies on a mail server, as long as it may be fetched from there: see `crm.attachments.LeftFile`.
    left: Mapped[dict[str, Any] | None] = mapped_column(Json)
    # When it is to be fetched (again), if somebody asked for it.
    fetch_at: Mapped[datetime | None]
    fetch_tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[datetime]
