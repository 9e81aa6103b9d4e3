"""A contact: a person we know, whatever became of their enquiries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word
from models.company import Company
from models.contact_point import Person
from models.source import Source
from models.user import User


class Contact(Base):
    """One row a person; the person's contact points are the contact's.

    `email` and `phone` are the first of each, as they are written. A merged contact keeps no person.
    """

    __tablename__ = "contact"
    __table_args__ = (
        Index("ix_contact_owner_id_id", "owner_id", "id"),
        Index(
            "ix_contact_waits",
            "owner_id",
            postgresql_where=text("waits_since IS NOT NULL"),
            sqlite_where=text("waits_since IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), unique=True)
    name: Mapped[str] = mapped_column(index=True)
    first_name: Mapped[str] = mapped_column(default="")
    last_name: Mapped[str] = mapped_column(default="")
    # What they do at their company.
    position: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(Word)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id"))
    tags: Mapped[list[str]] = mapped_column(default=list)
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Whether they agreed to marketing; None where nobody asked.
    consent: Mapped[bool | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]
    # Since when a mail or a missed call of theirs, that belongs to no lead or deal, waits for an answer.
    waits_since: Mapped[datetime | None]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))

    person: Mapped[Person | None] = relationship()
    company: Mapped[Company | None] = relationship()
    owner: Mapped[User | None] = relationship()
    source: Mapped[Source | None] = relationship()
