"""To which conversation a mail belongs: what decides is what only a correspondent can know or prove.

First a token of ours, in the Message-IDs that it follows or behind the plus of an address it came to. Then
the mails it says to follow, and then its subject: these two only from an address that is the person's own.
An answer of somebody we know that none of these finds is about what of theirs is open (`standing_of`).
A Reply-To, a Cc or an In-Reply-To that anybody can write joins nothing (FreeScout's CVE-2026-47123).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core import clock
from crm import messages, thread_token
from crm.contact_points import email_address, email_point
from crm.element import person_id_of, place_of
from crm.mail_facts import Authentication, MailFacts
from crm.standing import standing
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal import Deal
from models.lead import Lead
from models.message import Direction, Message, MessageState

#: A conversation is found by its subject for so long after its last mail.
_BY_SUBJECT = timedelta(days=90)
_MOST_SUBJECTS = 50
_MOST_LEADS = 100
# What mail programs put before a subject, in the languages they come in; with numbers: Re[2]:, RE^3:
_ANSWERS = r"re|r|aw|antw|sv|vs|res|rif|rép|rep|ref|odp|vá|ynt|返信"
_FORWARDS = r"fwd?|wg|wtr|tr|rv|enc|i|doorst|vl|pd|továbbítás|転送"
_NUMBER = r"\s*(?:[\[\(^]\s*\d+\s*[\])]?)?\s*[:：]"
_PREFIX = re.compile(rf"^(?:\s*(?:{_ANSWERS}|{_FORWARDS}){_NUMBER})+\s*", re.IGNORECASE)
_ANSWERED = re.compile(rf"^\s*(?:{_ANSWERS}){_NUMBER}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Joined:
    """The conversation: what it is about, the mail that is answered if we have it, how it was found."""

    element: Lead | Deal | Contact
    answers: Message | None
    how: str


def find(session: Session, mail: MailFacts) -> Joined | None:
    """The conversation of this mail, held until the transaction ends; None where it begins one."""
    found = _by_token(session, mail) or _by_references(session, mail) or _by_subject(session, mail)
    return None if found is None else replace(found, element=held(session, found.element))


def standing_of(session: Session, mail: MailFacts) -> Joined | None:
    """What of the sender's an answer is about that `find` did not find: their open lead, else their open
    deal, else their contact; None for strangers, and for somebody of whom nothing stands."""
    person = person_of(session, mail.sender.address)
    element = standing(session, person).element if person is not None else None
    if element is None:
        return None
    open_one = {Lead: " who has an open lead", Deal: " who has an open deal"}.get(type(element), " we know")
    return Joined(held(session, element), None, f"it is an answer of somebody{open_one}")


def ours(session: Session, message_ids: tuple[str, ...], addresses: tuple[str, ...] = ()) -> Message | None:
    """The mail of ours that is named by one of these ids, or to whose own address something came."""
    tokens = [*thread_token.in_ids(message_ids), *thread_token.in_addresses(addresses)]
    if not tokens:
        return None
    found = {m.token: m for m in session.scalars(select(Message).where(Message.token.in_(tokens)))}
    return next((found[token] for token in tokens if token in found), None)


def fails(authentication: Authentication | None) -> bool:
    """Whether the domain in From says that this mail is not from it. Nothing being known is no failure."""
    if authentication is None:
        return False
    if authentication.dmarc is not None:
        return authentication.dmarc in ("fail", "permerror")
    return authentication.spf == "fail" and authentication.dkim != "pass"


def person_of(session: Session, address: str) -> int | None:
    """Whose address it is; None for a stranger's."""
    normal = email_address(address)
    if normal is None:
        return None
    kind, value = email_point(normal)
    return session.scalar(
        select(ContactPoint.person_id).where(ContactPoint.kind == kind, ContactPoint.value == value)
    )


def _by_token(session: Session, mail: MailFacts) -> Joined | None:
    addresses = (*mail.recipients, *(a.address for a in (*mail.to, *mail.cc)))
    message = ours(session, mail.thread, addresses)
    element = messages.element_of(session, message) if message is not None else None
    if message is None or element is None:
        return None
    known = person_of(session, mail.sender.address) == person_id_of(element)
    other = "" if known else f", written by {mail.sender.address}, an address that was not known"
    return Joined(element, message, f"it answers a mail of ours{other}")


def _by_references(session: Session, mail: MailFacts) -> Joined | None:
    person = person_of(session, mail.sender.address)
    if person is None or not mail.thread:
        return None
    chosen = select(Message).where(Message.message_id.in_(mail.thread)).order_by(Message.id.desc()).limit(50)
    for message in session.scalars(chosen):
        element = messages.element_of(session, message)
        if element is not None and person_id_of(element) == person:
            return Joined(element, message, "it follows an earlier mail of the same person")
    return None


def _by_subject(session: Session, mail: MailFacts) -> Joined | None:
    """Only for what says to be an answer: two enquiries may well be called the same."""
    subject, is_answer = plain_subject(mail.subject)
    person = person_of(session, mail.sender.address) if is_answer and subject else None
    if person is None:
        return None
    # Looked for first: given the numbers, a database takes its indexes, and does not go through all mails.
    newest = select(Lead.id).where(Lead.person_id == person).order_by(Lead.id.desc()).limit(_MOST_LEADS)
    contacts = select(Contact.id).where(Contact.person_id == person)
    theirs = or_(
        Message.lead_id.in_(session.scalars(newest).all()),
        Message.contact_id.in_(session.scalars(contacts).all()),
    )
    chosen = (
        select(Message)
        .where(theirs, Message.created_at > clock.now() - _BY_SUBJECT)
        .order_by(Message.id.desc())
        .limit(_MOST_SUBJECTS)
    )
    for message in session.scalars(chosen):
        element = messages.element_of(session, message)
        if plain_subject(message.subject)[0] == subject and element is not None:
            return Joined(element, message, "it has the subject of an earlier mail with the same person")
    return None


def is_answer(subject: str) -> bool:
    """Whether the subject says that it answers something. What is passed on answers nothing."""
    return _ANSWERED.match(subject) is not None


def plain_subject(subject: str) -> tuple[str, bool]:
    """A subject as it is compared, and whether it is an answer's."""
    rest = _PREFIX.sub("", subject)
    return " ".join(rest.casefold().split()), rest != subject


def held(session: Session, element: Lead | Deal | Contact) -> Lead | Deal | Contact:
    """The lead, the deal or the contact, or the one it has become part of, until the transaction ends."""
    session.refresh(element, with_for_update=True)
    if isinstance(element, Deal) or element.merged_into_id is None:
        return element
    if isinstance(element, Lead):
        return held(session, session.get_one(Lead, element.merged_into_id))
    return held(session, session.get_one(Contact, element.merged_into_id))


def received(
    session: Session,
    element: Lead | Deal | Contact,
    mail: MailFacts,
    *,
    event_id: str,
    mailbox: str,
    answers: Message | None = None,
    automatic: bool = False,
    direction: Direction = Direction.IN,
    user_id: int | None = None,
) -> Message:
    """The row of a mail that came."""
    place = place_of(element)
    deal_id = messages.deal_of(session, element) if isinstance(element, Lead) else place.deal_id
    message = Message(
        direction=direction,
        state=MessageState.RECEIVED if direction is Direction.IN else MessageState.SENT,
        effect_key=event_id,
        message_id=mail.message_id[:500],
        in_reply_to=mail.in_reply_to[:500],
        references=[i[:500] for i in mail.references[-20:]],
        thread=answers.thread if answers is not None else event_id,
        mailbox=mailbox,
        from_name=mail.sender.name[:300],
        from_address=mail.sender.address.lower()[:400],
        to_address=(mail.to[0].address if mail.to else "").lower()[:400],
        cc=[a.address[:400] for a in mail.cc[:20]],
        subject=mail.subject[:1000],
        text=mail.text[:200_000],
        automatic=automatic,
        lead_id=place.lead_id,
        contact_id=place.contact_id,
        deal_id=deal_id or (answers.deal_id if answers is not None else None),
        user_id=user_id,
        event_id=event_id,
        files_id=event_id,
        created_at=clock.now(),
        sent_at=clock.now() if direction is Direction.OUT else None,
    )
    session.add(message)
    session.flush()
    return message
