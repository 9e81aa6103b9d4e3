"""Who is it? Contact points, and the person they belong to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, states


class PointKind(StrEnum):
    """What sort of address a contact point is."""

    EMAIL = "email"
    PHONE = "phone"


class Person(Base):
    """Whoever owns a set of contact points, before and after there is a contact for them."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Key, primary_key=True)

    points: Mapped[list[ContactPoint]] = relationship(viewonly=True, order_by="ContactPoint.id")


class ContactPoint(Base):
    """A normalised e-mail address or E.164 number; unique, so that it answers 'who is this?'."""

    __tablename__ = "contact_point"
    __table_args__ = (UniqueConstraint("kind", "value"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[PointKind] = mapped_column(states(PointKind))
    value: Mapped[str]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    # Mail to it came back for good, in the words of the server that sent it back.
    bounced_at: Mapped[datetime | None]
    bounce_reason: Mapped[str | None]
    # They want no automatic mail.
    unsubscribed_at: Mapped[datetime | None]
