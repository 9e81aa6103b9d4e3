"""Outgoing webhooks: where each endpoint stands, and what is and was sent to it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, UuidText, Word, states


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"  # for its time, or for the worker that has it to be done
    DONE = "done"
    DEAD = "dead"  # given up; can be sent again by a person


class WebhookEndpoint(Base):
    """How an endpoint of the workspace's `webhooks` has been doing, by its key."""

    __tablename__ = "webhook_endpoint"

    key: Mapped[str] = mapped_column(Word, primary_key=True)
    # Since when nothing arrives any more; None while all is well.
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")


class WebhookDelivery(Base):
    """One event on its way to one endpoint. The body is kept: each attempt sends the same."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index(
            "ix_webhook_delivery_due",
            "due_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index("ix_webhook_delivery_endpoint_state_id", "endpoint", "state", "id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    endpoint: Mapped[str] = mapped_column(Word)
    event_id: Mapped[str] = mapped_column(UuidText)
    kind: Mapped[str] = mapped_column(Word)
    lead_id: Mapped[int | None] = mapped_column(Key, index=True)
    body: Mapped[str]
    state: Mapped[DeliveryState] = mapped_column(states(DeliveryState), default=DeliveryState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    result: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
