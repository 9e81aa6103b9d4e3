"""To which conversation a mail belongs: what decides is what only a correspondent can know or prove.

First a token of ours, in the Message-IDs that it follows or behind the plus of an address it came to. Then
the mails it says to follow, and then its subject: these two only from an address that is the person's own.
A Reply-To, a Cc or an In-Reply-To that anybody can write joins nothing (FreeScout's CVE-2026-47123).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from crm import messages, thread_token
from crm.contact_points import email_address, email_point
from crm.mail_facts import Authentication, MailFacts
from models.contact_point import ContactPoint
from models.lead import Lead
from models.message import Direction, Message, MessageState

#: A conversation is found by its subject for so long after its last mail.
_BY_SUBJECT = timedelta(days=90)
_MOST_SUBJECTS = 50
# What mail programs put before a subject, in the languages they come in; with numbers: Re[2]:, RE^3:
_ANSWERS = (
    r"re|r|aw|antw|sv|vs|res|rif|rép|rep|ref|odp|vá|ynt|"  # answers
    r"fwd?|wg|wtr|tr|rv|enc|i|doorst|vl|pd|továbbítás|転送|返信"  # forwards
)
_PREFIX = re.compile(rf"^(?:\s*(?:{_ANSWERS})\s*(?:[\[\(^]\s*\d+\s*[\])]?)?\s*[:：])+\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Joined:
    """The conversation: its lead, the mail that is answered, and how it was found, in words."""

    lead: Lead
    answers: Message
    how: str


def find(session: Session, mail: MailFacts) -> Joined | None:
    """The conversation of this mail, its lead held until the transaction ends; None where it begins one."""
    found = _by_token(session, mail) or _by_references(session, mail) or _by_subject(session, mail)
    return None if found is None else replace(found, lead=_held(session, found.lead))


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
    lead = _lead(session, message)
    if message is None or lead is None:
        return None
    known = person_of(session, mail.sender.address) == lead.person_id
    other = "" if known else f", written by {mail.sender.address}, an address that was not known"
    return Joined(lead, message, f"it answers a mail of ours{other}")


def _by_references(session: Session, mail: MailFacts) -> Joined | None:
    person = person_of(session, mail.sender.address)
    if person is None or not mail.thread:
        return None
    chosen = select(Message).where(Message.message_id.in_(mail.thread)).order_by(Message.id.desc()).limit(50)
    for message in session.scalars(chosen):
        lead = _lead(session, message)
        if lead is not None and lead.person_id == person:
            return Joined(lead, message, "it follows an earlier mail of the same person")
    return None


def _by_subject(session: Session, mail: MailFacts) -> Joined | None:
    """Only for what says to be an answer: two enquiries may well be called the same."""
    subject, is_answer = plain_subject(mail.subject)
    person = person_of(session, mail.sender.address) if is_answer and subject else None
    if person is None:
        return None
    chosen = (
        select(Message)
        .join(Lead, Lead.id == Message.lead_id)
        .where(Lead.person_id == person, Message.created_at > clock.now() - _BY_SUBJECT)
        .order_by(Message.id.desc())
        .limit(_MOST_SUBJECTS)
    )
    for message in session.scalars(chosen):
        if plain_subject(message.subject)[0] == subject and (lead := _lead(session, message)) is not None:
            return Joined(lead, message, "it has the subject of an earlier mail with the same person")
    return None


def plain_subject(subject: str) -> tuple[str, bool]:
    """A subject as it is compared, and whether it is an answer's."""
    rest = _PREFIX.sub("", subject)
    return " ".join(rest.casefold().split()), rest != subject


def _lead(session: Session, message: Message | None) -> Lead | None:
    return session.get(Lead, message.lead_id) if message is not None and message.lead_id is not None else None


def _held(session: Session, lead: Lead) -> Lead:
    """The lead, or the one it has become part of."""
    held = session.get_one(Lead, lead.id, with_for_update=True, populate_existing=True)
    while held.merged_into_id is not None:
        held = session.get_one(Lead, held.merged_into_id, with_for_update=True, populate_existing=True)
    return held


def received(
    session: Session,
    lead: Lead,
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
        lead_id=lead.id,
        contact_id=lead.contact_id,
        deal_id=messages.deal_of(session, lead) or (answers.deal_id if answers is not None else None),
        user_id=user_id,
        event_id=event_id,
        files_id=event_id,
        created_at=clock.now(),
        sent_at=clock.now() if direction is Direction.OUT else None,
    )
    session.add(message)
    session.flush()
    return message
