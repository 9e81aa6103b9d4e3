"""Mails out: noted before they are sent, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from crm import thread_token, timeline
from crm.happening import Happening
from models.deal import Deal
from models.lead import Lead, LeadStatus
from models.message import Direction, Message, MessageState
from models.pipeline import StageGroup

#: No more of a text stands on a timeline; the message has all of it.
_LONGEST_TOLD = 20_000


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says. `html` is empty for one in plain text only."""

    subject: str
    text: str
    html: str = ""


def note(
    session: Session,
    lead: Lead,
    letter: Letter,
    *,
    to: str,
    effect_key: str,
    actor: str,
    automatic: bool,
    cc: Sequence[str] = (),
    mailbox: str | None = None,
    answers: Message | None = None,
    user_id: int | None = None,
    step_id: int | None = None,
    files_id: str | None = None,
    from_name: str = "",
) -> Message:
    """The row of the mail with this effect key, made where it is not there; it says what is sent now."""
    message = session.scalars(
        select(Message).where(Message.direction == Direction.OUT, Message.effect_key == effect_key)
    ).one_or_none()
    if message is None:
        token = thread_token.token_of(effect_key)
        message = Message(
            direction=Direction.OUT,
            state=MessageState.QUEUED,
            effect_key=effect_key,
            token=token,
            message_id=thread_token.message_id(effect_key),
            thread=answers.thread if answers is not None else token,
            lead_id=lead.id,
            contact_id=lead.contact_id,
            deal_id=deal_of(session, lead),
            user_id=user_id,
            actor=actor,
            step_id=step_id,
            files_id=files_id,
            automatic=automatic,
            created_at=clock.now(),
        )
        session.add(message)
    message.to_address, message.cc, message.from_name = to.lower(), list(cc), from_name
    message.subject, message.text, message.html = letter.subject, letter.text, letter.html
    message.mailbox = mailbox
    if answers is not None:
        message.in_reply_to = answers.message_id
        message.references = [*answers.references, answers.message_id][-20:]
    session.flush()
    return message


def sent(session: Session, message: Message, *, words: str) -> list[Happening]:
    """Records that a mail has gone out. A person's is the lead's first answer, and turns to who waits."""
    now = clock.now()
    message.state, message.sent_at, message.error = MessageState.SENT, now, ""
    message.due_at = message.lease_until = None
    lead = _lead(session, message)
    if lead is None:
        return []
    data = {"message": message.id, "subject": message.subject, "to": message.to_address}
    data |= {"text": message.text[:_LONGEST_TOLD], "mailbox": message.mailbox}
    data |= {"cc": message.cc} if message.cc else {}
    entry = timeline.record(session, lead, kind="mail_sent", summary=words, actor=message.actor, data=data)
    entry.deal_id = message.deal_id
    if message.automatic:
        return []
    answered(lead, now)
    return [Happening("email.sent", lead, {"subject": message.subject, "to": message.to_address})]


def deal_of(session: Session, lead: Lead) -> int | None:
    """The deal that has become of a converted lead, the open one before others: its mails are about that."""
    if lead.status is not LeadStatus.CONVERTED:
        return None
    chosen = select(Deal.id).where(Deal.lead_id == lead.id)
    return session.scalar(chosen.order_by(Deal.state != StageGroup.OPEN, Deal.id.desc()).limit(1))


def answered(lead: Lead, at: datetime) -> None:
    """A person of ours has turned to the lead."""
    lead.first_response_at = lead.first_response_at or at
    lead.last_outbound_at = max(lead.last_outbound_at or at, at)
    lead.updated_at = clock.now()


def failed(session: Session, message: Message, words: str, *, told: bool = True) -> None:
    """Records that a mail could not be sent and is not tried again."""
    message.state, message.error = MessageState.FAILED, words
    message.due_at = message.lease_until = None
    lead = _lead(session, message)
    if lead is not None and told:
        timeline.record(
            session,
            lead,
            kind="mail_failed",
            summary=f"E-mail to {message.to_address} was not sent: {words}",
            actor=message.actor,
            data={"message": message.id, "subject": message.subject, "text": message.text[:_LONGEST_TOLD]},
        )


def of_lead(session: Session, lead_id: int) -> Sequence[Message]:
    """The lead's mails in both directions, the newest first."""
    return session.scalars(
        select(Message).where(Message.lead_id == lead_id).order_by(Message.id.desc()).limit(500)
    ).all()


def latest_in(session: Session, lead_id: int) -> Message | None:
    """The last mail that came from the lead's person: what an answer answers."""
    return session.scalars(
        select(Message)
        .where(Message.lead_id == lead_id, Message.direction == Direction.IN, ~Message.automatic)
        .order_by(Message.id.desc())
        .limit(1)
    ).first()


def _lead(session: Session, message: Message) -> Lead | None:
    return session.get(Lead, message.lead_id) if message.lead_id is not None else None
