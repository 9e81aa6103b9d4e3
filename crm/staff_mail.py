"""What we tell one of our own by mail: noted once for its key, sent as all mails are."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from core.settings import settings
from crm import thread_token, workspace
from models.activity import Activity
from models.message import Direction, Message, MessageState
from models.timeline import TimelineEntry
from models.user import User


def tell(session: Session, user: User, *, subject: str, text: str, key: str) -> Message | None:
    """Mails a user; None where the same was told already, or they do not work here any more."""
    known = select(Message.id).where(Message.direction == Direction.OUT, Message.effect_key == key)
    if not user.active or session.scalar(known) is not None:
        return None
    name = workspace.load(session).name
    message = note(session, to=user.email, subject=subject, text=text, key=key, sender=name)
    message.user_id = user.id
    session.flush()
    queue.wake(session, queue.SEND_MAIL, message.id)
    return message


def note(session: Session, *, to: str, subject: str, text: str, key: str, sender: str) -> Message:
    """The row of a mail of the service's own, due now; whoever asks for it rings."""
    now, token = clock.now(), thread_token.token_of(key)
    message = Message(
        direction=Direction.OUT,
        state=MessageState.QUEUED,
        effect_key=key,
        token=token,
        message_id=thread_token.message_id(key),
        thread=token,
        to_address=to.lower(),
        from_name=sender,
        subject=_one_line(subject)[:200],
        text=text.strip() + "\n",
        automatic=True,
        actor="service",
        created_at=now,
        due_at=now,
    )
    session.add(message)
    session.flush()
    return message


def page_of(row: Activity | TimelineEntry) -> str:
    """The address of the page of what a row is about."""
    for plural, row_id in (
        ("deals", row.deal_id),
        ("leads", row.lead_id),
        ("contacts", row.contact_id),
        ("companies", row.company_id),
    ):
        if row_id is not None:
            return f"{settings().address}/{plural}/{row_id}"
    return settings().address


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
