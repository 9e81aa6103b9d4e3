"""What comes of a mail: a conversation goes on, an enquiry is taken in, a mail of ours came back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Quarantined
from crm import activities, messages, reachability, thread_token, threads, timeline
from crm.capture import Capture
from crm.element import Element, person_id_of
from crm.happening import Happening, about
from crm.mail_facts import Automatic, MailFacts
from crm.standing import standing
from crm.submission import Submission
from crm.threads import Joined
from intake.passage import Passage
from models.contact import Contact
from models.deal import Deal
from models.lead import OPEN, Lead
from models.message import Direction, Message
from models.user import User

_LONGEST_TOLD = 20_000
_ANSWER = "Answer: "


@dataclass(frozen=True, slots=True)
class Beside:
    """A mail that is no lead's: the deal or the contact it is about, and what happened by it."""

    element: Deal | Contact
    happenings: tuple[Happening, ...]


def take_in(passage: Passage, submission: Submission, mail: MailFacts, *, released: bool) -> Capture | Beside:
    """The mail's lead: of the conversation it belongs to, else as for any other enquiry.

    An answer of somebody we know, to a mail that we do not have, is about what of theirs is open: their lead,
    else their deal. Of a contact of whom nothing is open it stands on the contact alone. A new subject of
    theirs is an enquiry: the source says (`on_known`) whether it goes to what is open, deal or lead.
    Raises Quarantined for a mail whose sender's domain disowns it and that claims to be of somebody we know.
    """
    session = passage.session
    joined = threads.find(session, mail)
    if threads.fails(mail.authentication) and not released:
        _check_stranger(session, submission, mail, joined)
    if joined is None and _is_own(submission, mail) and threads.is_answer(mail.subject):
        joined = threads.standing_of(session, mail)
    if joined is not None:
        return _go_on(passage, submission, mail, joined, ("email.received", "email.replied"))
    if (beside := _open_deal(passage, submission, mail)) is not None:
        return _go_on(passage, submission, mail, beside, ("email.received",))
    return _enquiry(passage, submission, mail)


def _check_stranger(session: Session, submission: Submission, mail: MailFacts, joined: Joined | None) -> None:
    known = joined is not None or any(
        threads.person_of(session, address) is not None
        for address in (mail.sender.address, *submission.emails)
    )
    if known:
        raise Quarantined(
            f"it fails DMARC: the domain of {mail.sender.address} says that it did not send this mail, and"
            " somebody we know would be taken for its writer",
            submission,
        )


def _open_deal(passage: Passage, submission: Submission, mail: MailFacts) -> Joined | None:
    """The open deal of who asks, where nothing else of theirs is open and the source attaches what they ask.

    In a workspace that goes straight to deals `crm.capture` finds it: such a deal has its lead.
    """
    if passage.settings.on_known != "attach" or passage.here.mode == "simple":
        return None
    if not (_is_own(submission, mail) or _passed_on(submission, mail)):
        return None
    person = threads.person_of(passage.session, next(iter(submission.emails), ""))
    deal = standing(passage.session, person).deal if person is not None else None
    if deal is None:
        return None
    return Joined(threads.held(passage.session, deal), None, "who wrote it has an open deal")


def _go_on(
    passage: Passage, submission: Submission, mail: MailFacts, joined: Joined, triggers: tuple[str, ...]
) -> Capture | Beside:
    session, element = passage.session, joined.element
    message = threads.received(
        session,
        element,
        mail,
        event_id=passage.event.id,
        mailbox=passage.source.key,
        answers=joined.answers,
    )
    _tell(passage, element, message, mail, joined.how, submission)
    if threads.person_of(session, mail.sender.address) == person_id_of(element):
        _alive(session, mail.sender.address)
    data = _event_data(mail, passage.source.key)
    subject = _subject(session, element, message)
    happened = tuple(about(subject, k, data, message=message) for k in triggers)
    if isinstance(element, Lead):
        element.last_inbound_at = max(element.last_inbound_at, submission.occurred_at)
        element.updated_at = clock.now()
        return Capture(element, False, happened)
    _call_for_answer(session, element, message)
    return Beside(element, happened)


def _subject(session: Session, element: Lead | Deal | Contact, message: Message) -> Lead | Deal | Contact:
    """What rules run on: of a lead that is closed, what has become of it."""
    if not isinstance(element, Lead) or element.status in OPEN:
        return element
    deal = session.get(Deal, message.deal_id) if message.deal_id is not None else None
    contact = session.get(Contact, element.contact_id) if element.contact_id is not None else None
    return deal or contact or element


def _call_for_answer(session: Session, element: Deal | Contact, message: Message) -> None:
    """Leads say themselves that they wait for an answer; of others their owner is told by an activity, one
    for all mails until it is done."""
    element.waits_since = element.waits_since or clock.now()
    planned = activities.all_planned(session, element, type="email")
    if not any(activity.subject.startswith(_ANSWER) for activity in planned):
        subject = f"{_ANSWER}{message.subject or message.from_address}"[:300]
        actor, now = timeline.SERVICE, clock.now()
        activities.plan(session, element, type="email", subject=subject, due_at=now, actor=actor)


def _is_own(submission: Submission, mail: MailFacts) -> bool:
    """Whether the writer asks for themselves, and passes nobody else's words on."""
    return mail.sender.address.lower() in (address.lower() for address in submission.emails)


def _passed_on(submission: Submission, mail: MailFacts) -> bool:
    """Whether a colleague has passed it on, as far as nothing speaks against it being theirs."""
    return "forwarded_by" in submission.extra and not threads.fails(mail.authentication)


def from_us(passage: Passage, submission: Submission) -> Lead | Deal | Contact | None:
    """To whom one of us wrote this from a mail program of their own; None where nobody did."""
    mail = submission.mail
    colleague = _colleague(passage.session, mail) if mail is not None else None
    if mail is None or colleague is None or mail.automatic not in (None, Automatic.OWN):
        return None
    if thread_token.is_ours(mail.message_id):
        return None  # our own copy, which we have already
    joined = threads.find(passage.session, mail)
    if joined is None:
        return None
    passage.react(joined.element, [_wrote(passage, mail, joined, colleague)])
    return joined.element


def _wrote(passage: Passage, mail: MailFacts, joined: Joined, colleague: User) -> Happening:
    """One of us has answered from a mail program of their own, with the mailbox among the recipients."""
    element = joined.element
    message = threads.received(
        passage.session,
        element,
        mail,
        event_id=passage.event.id,
        mailbox=passage.source.key,
        answers=joined.answers,
        direction=Direction.OUT,
        user_id=colleague.id,
    )
    message.actor = f"user:{colleague.id}"
    _tell(passage, element, message, mail, joined.how, None, actor=message.actor)
    if isinstance(element, Lead):
        messages.answered(element, passage.event.received_at)
    else:
        element.waits_since = None
    data = {"subject": message.subject, "to": message.to_address}
    subject = _subject(passage.session, element, message)
    return about(subject, "email.sent", data, message=message)


def _enquiry(passage: Passage, submission: Submission, mail: MailFacts) -> Capture:
    """A new conversation. An address in Reply-To alone opens nobody's lead: anybody can write it there."""
    session = passage.session
    own = _is_own(submission, mail)
    # What the workspace maps by itself, it has declared to be other people's words.
    mapped = "notification" in submission.extra
    vouched = own or mapped or _passed_on(submission, mail) or _colleague(session, mail) is not None
    captured = passage.capture(submission, on_known=None if vouched else "new")
    message = threads.received(
        session, captured.lead, mail, event_id=passage.event.id, mailbox=passage.source.key
    )
    if own:
        _alive(session, mail.sender.address)
    data = _event_data(mail, passage.source.key)
    return replace(
        captured,
        happenings=tuple(
            replace(h, message=message, data={**h.data, **data} if h.trigger == "email.received" else h.data)
            for h in captured.happenings
        ),
    )


def _tell(
    passage: Passage,
    element: Element,
    message: Message,
    mail: MailFacts,
    how: str,
    submission: Submission | None,
    *,
    actor: str = timeline.SERVICE,
) -> None:
    data = {
        "channel": "email" if message.direction is Direction.IN else None,
        "source": passage.source.key,
        "message": message.id,
        "from": mail.sender.address,
        "to": [a.address for a in mail.to[:20]],
        "subject": message.subject,
        "text": message.text[:_LONGEST_TOLD],
        "joined": how,
        "authentication": mail.authentication.words if mail.authentication else None,
        "files": [f.name for f in submission.files] if submission else [],
    }
    kept = {name: value for name, value in data.items() if value not in (None, "", [])}
    who = "E-mail" if message.direction is Direction.IN else "E-mail sent"
    entry = timeline.record(
        passage.session,
        element,
        kind="email" if message.direction is Direction.IN else "mail_sent",
        summary=f"{who}: {message.subject or '(no subject)'}",
        actor=actor,
        data=kept,
        event_id=passage.event.id,
        at=passage.event.received_at,
    )
    entry.deal_id = message.deal_id


def _event_data(mail: MailFacts, mailbox: str) -> dict[str, str]:
    return {
        "from": mail.sender.address,
        "subject": mail.subject,
        "text": mail.text[:_LONGEST_TOLD],
        "mailbox": mailbox,
    }


def _colleague(session: Session, mail: MailFacts) -> User | None:
    """Who of us wrote it, by an address that its domain stands for or of which nothing is known."""
    if threads.fails(mail.authentication):
        return None
    return session.scalars(
        select(User).where(func.lower(User.email) == mail.sender.address.lower(), User.active)
    ).one_or_none()


def _alive(session: Session, address: str) -> None:
    """Who writes from an address reads it, whatever a server once said of it."""
    point = reachability.point(session, address)
    if point is not None and point.bounced_at is not None:
        point.bounced_at = point.bounce_reason = None
