"""E-mails as the API tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from crm import attachments
from models.message import Direction, Message, MessageState


class SentFile(BaseModel):
    """A file that came or goes with a mail; to be had at /api/v1/attachments/<id>."""

    id: int
    name: str
    kind: str
    size: int


class Email(BaseModel):
    """One mail, in or out."""

    id: int
    direction: Direction
    state: MessageState
    subject: str
    from_name: str
    from_address: str = Field(description="Of a mail in: who wrote it; empty for mails out")
    to: str
    cc: list[str]
    text: str
    html: str = Field(description="Of a mail out, as it is sent; never shown without being cleaned")
    message_id: str
    in_reply_to: str
    thread: str = Field(description="The same for all mails of one conversation")
    automatic: bool = Field(description="Whether a rule or a machine wrote it")
    mailbox: str | None
    error: str = Field(description="Why it was not sent, is tried again, or came back")
    actor: str
    lead_id: int | None
    contact_id: int | None
    deal_id: int | None
    event_id: str | None
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, row: Message) -> Self:
        """A mail as it is told."""
        return cls(
            id=row.id,
            direction=row.direction,
            state=MessageState.QUEUED if row.state is MessageState.SENDING else row.state,
            subject=row.subject,
            from_name=row.from_name,
            from_address=row.from_address,
            to=row.to_address,
            cc=row.cc,
            text=row.text,
            html=row.html,
            message_id=row.message_id,
            in_reply_to=row.in_reply_to,
            thread=row.thread,
            automatic=row.automatic,
            mailbox=row.mailbox,
            error=row.error,
            actor=row.actor,
            lead_id=row.lead_id,
            contact_id=row.contact_id,
            deal_id=row.deal_id,
            event_id=row.event_id,
            created_at=row.created_at,
            sent_at=row.sent_at,
        )


class WholeEmail(Email):
    """One mail with its files."""

    attachments: list[SentFile] = Field(default_factory=list)

    @classmethod
    def whole(cls, session: Session, row: Message) -> Self:
        """A mail with its files, as it is told."""
        files = attachments.of_event(session, row.files_id) if row.files_id is not None else ()
        told = [SentFile(id=f.id, name=f.name, kind=f.kind, size=f.size) for f in files]
        return cls(**Email.of(row).model_dump(), attachments=told)
