"""What comes of a mail: a conversation goes on, an enquiry is taken in, a mail of ours came back."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Quarantined
from crm import leads, messages, reachability, thread_token, threads, timeline
from crm.capture import Capture
from crm.happening import Happening
from crm.mail_facts import Automatic, Bounce, MailFacts, OutOfOffice
from crm.submission import Submission
from crm.threads import Joined
from intake.passage import Passage
from models.lead import Lead
from models.message import Direction, Message, MessageState
from models.rule import StepRow, StepState
from models.user import User

_LONGEST_TOLD = 20_000


def take_in(passage: Passage, submission: Submission, mail: MailFacts, *, released: bool) -> Capture:
    """The mail's lead: of the conversation it belongs to, else as for any other enquiry.

    Raises Quarantined for a mail whose sender's domain disowns it and that claims to be of somebody we know.
    """
    session = passage.session
    joined = threads.find(session, mail)
    if threads.fails(mail.authentication) and not released:
        _check_stranger(session, submission, mail, joined)
    if joined is None:
        return _enquiry(passage, submission, mail)
    return _go_on(passage, submission, mail, joined)


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


def _go_on(passage: Passage, submission: Submission, mail: MailFacts, joined: Joined) -> Capture:
    session, lead = passage.session, joined.lead
    message = threads.received(
        session,
        lead,
        mail,
        event_id=passage.event.id,
        mailbox=passage.source.key,
        answers=joined.answers,
    )
    _tell(passage, lead, message, mail, joined.how, submission)
    lead.last_inbound_at = max(lead.last_inbound_at, submission.occurred_at)
    lead.updated_at = clock.now()
    if threads.person_of(session, mail.sender.address) == lead.person_id:
        _alive(session, mail.sender.address)
    data = _event_data(mail, passage.source.key)
    happened = [Happening(kind, lead, data, message=message) for kind in ("email.received", "email.replied")]
    return Capture(lead, False, tuple(happened))


def from_us(passage: Passage, submission: Submission) -> Lead | None:
    """The lead to which one of us wrote this from a mail program of their own; None where nobody did."""
    mail = submission.mail
    colleague = _colleague(passage.session, mail) if mail is not None else None
    if mail is None or colleague is None or mail.automatic not in (None, Automatic.OWN):
        return None
    if thread_token.is_ours(mail.message_id):
        return None  # our own copy, which we have already
    joined = threads.find(passage.session, mail)
    if joined is None:
        return None
    captured = _wrote(passage, mail, joined, colleague)
    passage.react(captured.lead, captured.happenings)
    return captured.lead


def of_machine(passage: Passage, found: Bounce | OutOfOffice) -> Lead | None:
    """The lead of the mail of ours that a machine tells something of; None where it is none of ours."""
    return bounced(passage, found) if isinstance(found, Bounce) else away(passage, found)


def _wrote(passage: Passage, mail: MailFacts, joined: Joined, colleague: User) -> Capture:
    """One of us has answered from a mail program of their own, with the mailbox among the recipients."""
    lead = joined.lead
    message = threads.received(
        passage.session,
        lead,
        mail,
        event_id=passage.event.id,
        mailbox=passage.source.key,
        answers=joined.answers,
        direction=Direction.OUT,
        user_id=colleague.id,
    )
    message.actor = f"user:{colleague.id}"
    _tell(passage, lead, message, mail, joined.how, None, actor=message.actor)
    messages.answered(lead, passage.event.received_at)
    data = {"subject": message.subject, "to": message.to_address}
    return Capture(lead, False, (Happening("email.sent", lead, data, message=message),))


def _enquiry(passage: Passage, submission: Submission, mail: MailFacts) -> Capture:
    """A new conversation. An address in Reply-To alone opens nobody's lead: anybody can write it there."""
    session = passage.session
    own = mail.sender.address.lower() in (address.lower() for address in submission.emails)
    # What the workspace maps by itself, it has declared to be other people's words.
    mapped = "notification" in submission.extra
    vouched = own or mapped or _colleague(session, mail) is not None
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


def bounced(passage: Passage, bounce: Bounce) -> Lead | None:
    """A mail of ours came back: it, its step and, where that is for good, its address are marked.

    None where it is none that we sent, which is what a forged report comes to.
    """
    session = passage.session
    ids = (bounce.original_message_id, bounce.original_headers.get("message-id", ""), *bounce.mail.thread)
    message = threads.ours(session, ids, bounce.mail.recipients)
    if message is None or message.lead_id is None:
        return None
    lead = session.get_one(Lead, message.lead_id, with_for_update=True, populate_existing=True)
    lost = [r for r in bounce.recipients if r.address.lower() == message.to_address] or bounce.recipients
    if lost and all(r.action in ("delivered", "relayed", "expanded") for r in lost):
        return _delivered(passage, message, lead)
    late = bool(lost) and all(r.action == "delayed" for r in lost)
    for_good = any(r.permanent for r in lost)
    words = f"E-mail to {message.to_address} " + ("is delayed" if late else "came back")
    told = {"message": message.id, "to": message.to_address, "subject": message.subject}
    timeline.record(
        session,
        lead,
        kind="mail_bounced",
        summary=f"{words}: {bounce.reason}",
        data={**told, "reason": bounce.reason, "permanent": for_good},
        event_id=passage.event.id,
    )
    if late:
        return lead
    message.state, message.error = MessageState.BOUNCED, bounce.reason[:2000]
    _mark_step(session, message, bounce.reason)
    point = reachability.point(session, message.to_address)
    if for_good and point is not None and point.bounced_at is None:
        point.bounced_at, point.bounce_reason = clock.now(), bounce.reason[:500]
    data = {
        "to": message.to_address,
        "subject": message.subject,
        "reason": bounce.reason,
        "permanent": for_good,
    }
    passage.react(lead, [Happening("email.bounced", lead, data)])
    return lead


def _delivered(passage: Passage, message: Message, lead: Lead) -> Lead:
    timeline.record(
        passage.session,
        lead,
        kind="mail_delivered",
        summary=f"E-mail to {message.to_address} was delivered: {message.subject}",
        data={"message": message.id},
        event_id=passage.event.id,
    )
    return lead


def _mark_step(session: Session, message: Message, reason: str) -> None:
    row = session.get(StepRow, message.step_id, with_for_update=True) if message.step_id else None
    if row is not None and row.state is StepState.DONE:
        row.state, row.result = StepState.FAILED, f"{row.result}; it came back: {reason}"[:2000]


def away(passage: Passage, note: OutOfOffice) -> Lead | None:
    """Somebody is away: noted, and neither an answer nor anything to answer. None without a lead."""
    session, mail = passage.session, note.mail
    if threads.fails(mail.authentication):
        return None
    answered = threads.ours(session, (note.original_message_id, *mail.thread), mail.recipients)
    lead = session.get(Lead, answered.lead_id) if answered is not None else None
    if lead is None and (person := threads.person_of(session, note.sender.address)) is not None:
        lead = next(iter(leads.open_leads(session, person)), None)
    if lead is None:
        return None
    message = threads.received(
        session,
        lead,
        mail,
        event_id=passage.event.id,
        mailbox=passage.source.key,
        answers=answered,
        automatic=True,
    )
    until = f" until {note.until:%Y-%m-%d}" if note.until else ""
    timeline.record(
        session,
        lead,
        kind="out_of_office",
        summary=f"Out of office: {note.sender.address} is away{until}",
        data={
            "message": message.id,
            "until": note.until.isoformat() if note.until else None,
            "text": note.text[:_LONGEST_TOLD],
        },
        event_id=passage.event.id,
        at=passage.event.received_at,
    )
    return lead


def _tell(
    passage: Passage,
    lead: Lead,
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
        "files": [f.name for f in submission.files] if submission else [],
    }
    kept = {name: value for name, value in data.items() if value not in (None, "", [])}
    who = "E-mail" if message.direction is Direction.IN else "E-mail sent"
    entry = timeline.record(
        passage.session,
        lead,
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
