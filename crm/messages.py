"""Mails out: noted before they are sent, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Conflict
from crm import thread_token, timeline
from crm.element import place_of
from crm.happening import Happening, about
from models.contact import Contact
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
    element: Lead | Deal | Contact,
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
    """The row of the mail about this element with this effect key, made where it is not there; it says what
    is sent now."""
    message = session.scalars(
        select(Message).where(Message.direction == Direction.OUT, Message.effect_key == effect_key)
    ).one_or_none()
    if message is None:
        token, place = thread_token.token_of(effect_key), place_of(element)
        message = Message(
            direction=Direction.OUT,
            state=MessageState.QUEUED,
            effect_key=effect_key,
            token=token,
            message_id=thread_token.message_id(effect_key),
            thread=answers.thread if answers is not None else token,
            lead_id=place.lead_id,
            contact_id=place.contact_id,
            deal_id=deal_of(session, element) if isinstance(element, Lead) else place.deal_id,
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
    element = element_of(session, message)
    if element is None:
        return []
    data = {"message": message.id, "subject": message.subject, "to": message.to_address}
    data |= {"text": message.text[:_LONGEST_TOLD], "mailbox": message.mailbox}
    data |= {"cc": message.cc} if message.cc else {}
    entry = timeline.record(session, element, kind="mail_sent", summary=words, actor=message.actor, data=data)
    entry.deal_id = message.deal_id
    if message.automatic:
        return []
    if isinstance(element, Lead):
        answered(element, now)
    else:
        element.waits_since = None
    return [about(element, "email.sent", {"subject": message.subject, "to": message.to_address})]


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
    element = element_of(session, message)
    if element is not None and told:
        timeline.record(
            session,
            element,
            kind="mail_failed",
            summary=f"E-mail to {message.to_address} was not sent: {words}",
            actor=message.actor,
            data={"message": message.id, "subject": message.subject, "text": message.text[:_LONGEST_TOLD]},
        )


def again(session: Session, message: Message) -> None:
    """Sends a mail by hand again that could not be sent, at once and as often as a new one.

    Raises Conflict for any other: what a rule has written is tried again by its step.
    """
    if message.state is not MessageState.FAILED or message.step_id is not None:
        raise Conflict("only a mail by hand that could not be sent is sent again; see the steps of runs")
    message.state, message.attempts, message.due_at = MessageState.QUEUED, 0, clock.now()
    queue.wake(session, queue.SEND_MAIL, message.id)


def unsent(session: Session, element: Lead | Deal | Contact) -> Sequence[Message]:
    """The mails by hand about it that are still to be sent, or were not; the newest first."""
    waits = (MessageState.QUEUED, MessageState.SENDING, MessageState.FAILED)
    return session.scalars(
        select(Message)
        .where(about_element(element), Message.direction == Direction.OUT)
        .where(Message.state.in_(waits), Message.step_id.is_(None))
        .order_by(Message.id.desc())
        .limit(50)
    ).all()


def about_element(element: Lead | Deal | Contact) -> ColumnElement[bool]:
    """The condition for the mails about it; a contact's are also those about their leads and deals."""
    if isinstance(element, Lead):
        return Message.lead_id == element.id
    return Message.deal_id == element.id if isinstance(element, Deal) else Message.contact_id == element.id


def element_of(session: Session, message: Message) -> Lead | Deal | Contact | None:
    """What a mail is about: the lead, else the deal, else the contact."""
    if message.lead_id is not None:
        return session.get(Lead, message.lead_id)
    if message.deal_id is not None:
        return session.get(Deal, message.deal_id)
    return session.get(Contact, message.contact_id) if message.contact_id is not None else None
