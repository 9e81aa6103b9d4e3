"""A company: a client's, that contacts work for and deals are made with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word
from models.source import Source
from models.user import User


class Company(Base):
    """One row a company; `domain` is the part of its people's addresses behind the @, where it is its own."""

    __tablename__ = "company"
    __table_args__ = (Index("ix_company_owner_id_id", "owner_id", "id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    domain: Mapped[str | None] = mapped_column(String(253), index=True)
    email: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(Word, index=True)
    street: Mapped[str | None]
    city: Mapped[str | None]
    region: Mapped[str | None]
    postal_code: Mapped[str | None] = mapped_column(Word)
    # ISO 3166 alpha-2.
    country: Mapped[str | None] = mapped_column(String(2))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id"))
    tags: Mapped[list[str]] = mapped_column(default=list)
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"))

    owner: Mapped[User | None] = relationship()
    source: Mapped[Source | None] = relationship()
