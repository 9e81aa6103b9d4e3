"""Sends what people write: claimed by lease, handed to the mail server, and recorded with what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Permanent, PortariaError, Retry, TooEarly, Unavailable
from core.ids import new_id
from core.logs import logger
from crm import attachments, messages, workspace
from models.message import Direction, Message, MessageState
from rules import engine, subject
from rules.order import MailFile, MailOrder
from rules.runs import LEASE, WAITS
from worker.outbound import smtp
from worker.outbound.account import account_for

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that is sent now; `attempt` tells this claim from a later one."""

    message_id: int
    attempt: int
    order: MailOrder
    workspace: str


def due(now: datetime) -> ColumnElement[bool]:
    """The condition for a mail that a worker may claim now."""
    return and_(
        Message.state.in_((MessageState.QUEUED, MessageState.SENDING)),
        Message.due_at <= now,
        or_(Message.lease_until.is_(None), Message.lease_until < now),
    )


def send(message_id: int) -> None:
    """Claims a mail and sends it."""
    with db.unit_of_work() as session:
        claim = _claim(session, message_id)
    if claim is None:
        return
    try:
        words = smtp.send(claim.order, sender_name=claim.workspace)
    except TooEarly as error:
        _again(claim, str(error), error.wait, counted=False)
    except Retry as error:
        _again(claim, str(error), error.after or timedelta(), counted=True)
    except Permanent as error:
        _failed(claim, str(error))
    except Unavailable:
        raise  # the lease runs out, and the sweep rings again
    except Exception as error:  # recorded with the mail, which is tried again
        log.exception("mail.failed", message_id=message_id)
        told = str(error) if isinstance(error, PortariaError) else f"{type(error).__name__}: {error}"
        _again(claim, told, timedelta(), counted=True)
    else:
        _sent(claim, words)


def _claim(session: Session, message_id: int) -> Claim | None:
    now = clock.now()
    row = session.scalars(
        select(Message).where(Message.id == message_id, due(now)).with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    row.attempts += 1
    row.state, row.lease_until = MessageState.SENDING, now + LEASE
    return Claim(row.id, row.attempts, order_of(session, row), workspace.load(session).name)


def order_of(session: Session, row: Message) -> MailOrder:
    """What is to be sent, as the row says it."""
    files = attachments.of_event(session, row.files_id) if row.files_id is not None else ()
    return MailOrder(
        to=row.to_address,
        subject=row.subject,
        text=row.text,
        message_id=row.effect_key,
        html=row.html,
        calendar=row.calendar,
        cc=tuple(row.cc),
        from_name=row.from_name,
        mailbox=row.mailbox,
        in_reply_to=row.in_reply_to,
        references=tuple(row.references),
        automatic="auto-generated" if row.automatic else "",
        files=tuple(MailFile(f.name, f.kind, f.place) for f in files if f.place),
        date=row.sent_at or row.created_at,
    )


def note_copy(session: Session, order: MailOrder) -> None:
    """Notes that a copy of this mail, which has gone out, is to be laid down, where its mailbox says so."""
    box = account_for(order.mailbox).mailbox
    if box is not None and box.sent_folder is not None:
        session.execute(
            update(Message)
            .where(Message.direction == Direction.OUT, Message.effect_key == order.message_id)
            .values(file_at=clock.now(), mailbox=box.key)
        )


def _held(session: Session, claim: Claim) -> Message | None:
    """The row, and before it what it is about: whoever reacts to what happens to that has it first."""
    row = session.get(Message, claim.message_id)
    if row is not None:
        on = (row.lead_id, row.deal_id, row.contact_id)
        first = next((place for place, row_id in enumerate(on) if row_id is not None), None)
        subject.hold_rows(session, *(i if place == first else None for place, i in enumerate(on)))
    return session.scalars(
        select(Message)
        .where(
            Message.id == claim.message_id,
            Message.state == MessageState.SENDING,
            Message.attempts == claim.attempt,
        )
        .with_for_update(of=Message)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _sent(claim: Claim, words: str) -> None:
    with db.unit_of_work() as session:
        row = _held(session, claim)
        if row is not None:
            happened = messages.sent(session, row, words=words)
            session.flush()
            note_copy(session, claim.order)
            engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())


def _again(claim: Claim, words: str, after: timedelta, *, counted: bool) -> None:
    with db.unit_of_work() as session:
        row = _held(session, claim)
        if row is None:
            return
        if counted and claim.attempt > len(WAITS):
            messages.failed(session, row, words[:2000])
            return
        row.state, row.lease_until, row.error = MessageState.QUEUED, None, words[:2000]
        wait = max(after, WAITS[claim.attempt - 1]) if counted else after
        row.attempts -= 0 if counted else 1
        row.due_at = clock.now() + wait


def _failed(claim: Claim, words: str) -> None:
    with db.unit_of_work() as session:
        row = _held(session, claim)
        if row is not None:
            messages.failed(session, row, words[:2000])
