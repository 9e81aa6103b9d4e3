"""A lead that several were asked to take: one row for each of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, states


class OfferState(StrEnum):
    """Where an offer stands."""

    OPEN = "open"
    TAKEN = "taken"
    WITHDRAWN = "withdrawn"  # somebody else has taken the lead
    EXPIRED = "expired"


class Offer(Base):
    """A lead offered to one user until a moment."""

    __tablename__ = "offer"
    __table_args__ = (
        Index("ix_offer_lead_id", "lead_id"),
        Index(
            "ix_offer_expires_at",
            "expires_at",
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("lead.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[OfferState] = mapped_column(states(OfferState))
    offered_at: Mapped[datetime]
    expires_at: Mapped[datetime]
