"""A lead: one enquiry of one person, from the first contact to its conversion."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from core.amended import Amended
from models.base import Base, Key, Word, states
from models.sla import SlaClock
from models.source import Channel, Source
from models.user import User


class LeadStatus(StrEnum):
    """Where a lead stands. `new` and `in_progress` are open."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    CONVERTED = "converted"
    JUNK = "junk"
    MERGED = "merged"  # it was another lead's person all along; see merged_into_id


OPEN = (LeadStatus.NEW, LeadStatus.IN_PROGRESS)
#: Why a lead is closed that the workspace's simple mode made a deal at once.
STRAIGHT = "straight to a deal"


#: Heard of after anybody of ours last turned to them, while it is open or after it was converted.
UNANSWERED = (
    "status IN ('new', 'in_progress', 'converted') AND (status <> 'converted' OR last_inbound_at > closed_at)"
    " AND (last_outbound_at IS NULL OR last_inbound_at > last_outbound_at)"
)

#: All that reports on leads ask for: they read its index in place of the table.
_REPORTED = ("id", "status", "channel", "source_id", "owner_id", "first_response_at", "in_time", "campaign")
#: An entry of an index has its limit (2,700 bytes in PostgreSQL); a longer name is cut.
_LONGEST_CAMPAIGN = 200


def campaign_of(attribution: Mapping[str, Any]) -> str | None:
    """The campaign that a lead came by; None, too, where it is empty."""
    return str(attribution.get("utm_campaign") or "")[:_LONGEST_CAMPAIGN] or None


class Lead(Amended, Base):
    """One row a lead; made by crm.capture, never deleted by the service."""

    __tablename__ = "lead"
    __table_args__ = (
        Index("ix_lead_owner_id_status", "owner_id", "status"),
        Index("ix_lead_status_id", "status", "id"),
        Index("ix_lead_came", "created_at", *_REPORTED),
        Index(
            "ix_lead_unanswered",
            "owner_id",
            postgresql_where=text(UNANSWERED),
            sqlite_where=text(UNANSWERED),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    title: Mapped[str]
    status: Mapped[LeadStatus] = mapped_column(states(LeadStatus), default=LeadStatus.NEW)
    # One of the workspace's own open statuses, while `status` is in_progress.
    own_status: Mapped[str | None] = mapped_column(Word)
    # When and why it was closed: as junk, or by converting it.
    closed_at: Mapped[datetime | None]
    closing_reason: Mapped[str | None]
    channel: Mapped[Channel] = mapped_column(states(Channel))
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str] = mapped_column(default="")
    email: Mapped[str | None] = mapped_column(index=True)
    phone: Mapped[str | None] = mapped_column(Word, index=True)
    company: Mapped[str | None]
    message: Mapped[str] = mapped_column(default="")
    score: Mapped[int] = mapped_column(default=0)
    tags: Mapped[list[str]] = mapped_column(default=list)
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    attribution: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # The campaign that `attribution` names, for reports; None where it names none.
    campaign: Mapped[str | None]
    # What was read out of a mail's text and stated by nobody: phone, company, role.
    found: Mapped[dict[str, Any] | None]
    # Whether they agreed to what they were asked; None where nobody asked.
    consent: Mapped[bool | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    # When its owner was given it.
    given_at: Mapped[datetime | None]
    # Of how many days without anything done rules were told.
    idle_days: Mapped[int] = mapped_column(default=0)
    # Waiting for an owner: to whom a rule would have given it, whether that was told, and the alarm.
    wish: Mapped[dict[str, Any] | None]
    waits: Mapped[bool] = mapped_column(default=False)
    alarmed_at: Mapped[datetime | None]
    last_inbound_at: Mapped[datetime]
    # When a person of ours last wrote or spoke to them.
    last_outbound_at: Mapped[datetime | None]
    first_response_at: Mapped[datetime | None]
    # Whether that was as soon as its policy asks; False once the time is up. None: undecided, or no policy.
    in_time: Mapped[bool | None]
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"))

    @validates("attribution")
    def _comes_by(self, key: str, attribution: dict[str, Any]) -> dict[str, Any]:
        self.campaign = campaign_of(attribution)
        return attribution

    @property
    def unanswered(self) -> bool:
        """Whether they were heard of after anybody of ours last turned to them."""
        return self.last_outbound_at is None or self.last_inbound_at > self.last_outbound_at

    @classmethod
    def waits_for_answer(cls) -> ColumnElement[bool]:
        """The same as a condition."""
        return cls.last_outbound_at.is_(None) | (cls.last_inbound_at > cls.last_outbound_at)

    owner: Mapped[User | None] = relationship()
    source: Mapped[Source] = relationship()
    sla: Mapped[SlaClock | None] = relationship(viewonly=True)
