"""A mail by hand: noted with the lead it is for, to be sent by a worker once the transaction is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Conflict, Invalid
from core.ids import digest
from crm import messages, reachability
from crm.attachments import KeptFile, attach
from crm.contact_points import email_address
from crm.messages import Letter
from models.contact_point import ContactPoint, PointKind
from models.lead import Lead
from models.message import Direction, Message
from models.source import Channel, Source
from models.user import User

MOST_CC = 10


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person wants to send. `answers` is the mail that it answers; addresses as they were typed."""

    to: str
    letter: Letter
    cc: tuple[str, ...] = ()
    answers: Message | None = None
    mailbox: str | None = None
    despite_bounce: bool = False


def addresses(session: Session, lead: Lead) -> list[str]:
    """The addresses of the lead's person, the lead's own first."""
    known = session.scalars(
        select(ContactPoint.value)
        .where(ContactPoint.person_id == lead.person_id, ContactPoint.kind == PointKind.EMAIL)
        .order_by(ContactPoint.id)
    )
    own = [lead.email] if lead.email else []
    return list({address.lower(): address for address in [*known, *own]}.values())


def answering(subject: str) -> str:
    """The subject of an answer."""
    return subject if subject.lower().startswith("re:") else f"Re: {subject}".strip()


def mailbox(session: Session, key: str | None) -> str | None:
    """The key, if it is a mailbox's. Raises Invalid."""
    if key is not None:
        chosen = select(Source.id).where(Source.channel == Channel.EMAIL, Source.key == key, Source.active)
        if session.scalar(chosen) is None:
            raise Invalid("there is no such mailbox", {"mailbox": f"there is no mailbox '{key}'"})
    return key


def write(
    session: Session,
    lead: Lead,
    draft: Draft,
    *,
    key: str,
    actor: str,
    user: User | None,
    files: Sequence[KeptFile] = (),
    files_id: str | None = None,
) -> Message:
    """The mail, to be sent at once; the same `key` makes it once.

    Raises Invalid for what cannot be sent, with the field it lies in, Conflict for a lead that is no more and
    for a key that was used for another mail.
    """
    if lead.merged_into_id is not None:
        raise Conflict(f"the lead is part of lead {lead.merged_into_id} now")
    effect_key = f"by hand:{digest(str(lead.id), key)}"
    to, cc = _recipients(session, draft)
    _check_letter(draft.letter)
    found = session.scalars(
        select(Message).where(Message.direction == Direction.OUT, Message.effect_key == effect_key)
    ).one_or_none()
    if found is not None:
        if (found.to_address, found.subject, found.text) != (
            to.lower(),
            draft.letter.subject,
            draft.letter.text,
        ):
            raise Conflict("this key was used for another mail")
        return found
    if files and files_id is not None:
        attach(session, lead, files, event_id=files_id)
    message = messages.note(
        session,
        lead,
        draft.letter,
        to=to,
        cc=cc,
        effect_key=effect_key,
        actor=actor,
        automatic=False,
        mailbox=draft.mailbox or _own_mailbox(lead, draft.answers),
        answers=draft.answers,
        user_id=user.id if user is not None else None,
        from_name=user.name if user is not None else "",
        files_id=files_id if files else None,
    )
    message.due_at = clock.now()
    session.flush()
    queue.wake(session, queue.SEND_MAIL, message.id)
    return message


def _recipients(session: Session, draft: Draft) -> tuple[str, list[str]]:
    to = email_address(draft.to)
    if to is None:
        raise Invalid("this is no e-mail address", {"to": "is no e-mail address"})
    if not draft.despite_bounce:
        try:
            reachability.check_not_bounced(session, to)
        except Invalid as error:
            raise Invalid(str(error), {"to": str(error)}) from None
    cc = []
    for given in draft.cc:
        address = email_address(given)
        if address is None:
            raise Invalid("this is no e-mail address", {"cc": f"'{given[:100]}' is no e-mail address"})
        cc.append(address)
    if len(cc) > MOST_CC:
        raise Invalid("too many", {"cc": f"names more than {MOST_CC} addresses"})
    return to, cc


def _check_letter(letter: Letter) -> None:
    if not letter.subject.strip():
        raise Invalid("there is no subject", {"subject": "is empty"})
    if not letter.text.strip():
        raise Invalid("there is no text", {"text": "is empty"})


def _own_mailbox(lead: Lead, answers: Message | None) -> str | None:
    if answers is not None and answers.mailbox:
        return answers.mailbox
    return lead.source.key if lead.source.channel is Channel.EMAIL else None
