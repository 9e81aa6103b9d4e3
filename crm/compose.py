"""A mail by hand: noted with what it is about, to be sent by a worker once the transaction is over."""

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
from crm.element import person_id_of
from crm.messages import Letter
from models.contact import Contact
from models.contact_point import ContactPoint, PointKind
from models.deal import Deal
from models.lead import Lead
from models.message import Direction, Message
from models.source import Channel, Source
from models.user import User

MOST_CC = 10
#: What a mail by hand may be about.
Addressee = Lead | Deal | Contact


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person wants to send. `answers` is the mail that it answers; addresses as they were typed."""

    to: str
    letter: Letter
    cc: tuple[str, ...] = ()
    answers: Message | None = None
    mailbox: str | None = None
    despite_bounce: bool = False


def address(element: Addressee) -> str | None:
    """Where a mail about it goes first: a deal's to its contact, else to the lead it came from."""
    if isinstance(element, Deal):
        of_contact = element.contact.email if element.contact is not None else None
        return of_contact or (element.lead.email if element.lead is not None else None)
    return element.email


def addresses(session: Session, element: Addressee) -> list[str]:
    """The addresses of the person it is about, the element's own first."""
    known = session.scalars(
        select(ContactPoint.value)
        .where(ContactPoint.person_id == person_id_of(element), ContactPoint.kind == PointKind.EMAIL)
        .order_by(ContactPoint.id)
    )
    own = [first] if (first := address(element)) else []
    return list({each.lower(): each for each in [*own, *known]}.values())


def answered(session: Session, element: Addressee, message_id: int) -> Message | None:
    """The mail about this element that has the number."""
    found = session.get(Message, message_id)
    column = {Lead: "lead_id", Deal: "deal_id", Contact: "contact_id"}[type(element)]
    return found if found is not None and getattr(found, column) == element.id else None


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
    element: Addressee,
    draft: Draft,
    *,
    key: str,
    actor: str,
    user: User | None,
    files: Sequence[KeptFile] = (),
    files_id: str | None = None,
) -> Message:
    """The mail, to be sent at once; the same `key` makes it once.

    Raises Invalid for what cannot be sent, with the field it lies in, Conflict for what is part of another
    now and for a key that was used for another mail.
    """
    kind = element.__tablename__
    if not isinstance(element, Deal) and element.merged_into_id is not None:
        raise Conflict(f"the {kind} is part of {kind} {element.merged_into_id} now")
    of_what = (str(element.id),) if isinstance(element, Lead) else (kind, str(element.id))
    effect_key = f"by hand:{digest(*of_what, key)}"
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
        attach(session, element, files, event_id=files_id)
    message = messages.note(
        session,
        element,
        draft.letter,
        to=to,
        cc=cc,
        effect_key=effect_key,
        actor=actor,
        automatic=False,
        mailbox=draft.mailbox or _own_mailbox(element, draft.answers),
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


def _own_mailbox(element: Addressee, answers: Message | None) -> str | None:
    if answers is not None and answers.mailbox:
        return answers.mailbox
    source = element.source
    if source is None and isinstance(element, Deal):
        source = element.lead.source if element.lead is not None else None
    return source.key if source is not None and source.channel is Channel.EMAIL else None
