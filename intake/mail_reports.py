"""What machines tell of our mails: one came back, was late or arrived, its reader is away or answers an
invitation."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from crm import invitations, messages, reachability, threads, timeline
from crm.happening import about
from crm.mail_facts import Bounce, InvitationAnswer, OutOfOffice, Told
from crm.standing import standing
from intake.passage import Passage
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.message import Message, MessageState
from models.rule import StepRow, StepState

_LONGEST_TOLD = 20_000


def of_machine(passage: Passage, found: Told) -> Lead | Deal | Contact | Activity | None:
    """What the mail of ours was about that a machine tells something of; None where it is none of ours."""
    if isinstance(found, InvitationAnswer):
        return invitation_answered(passage, found)
    return bounced(passage, found) if isinstance(found, Bounce) else away(passage, found)


def invitation_answered(passage: Passage, told: InvitationAnswer) -> Activity | None:
    """Somebody whom we invited says whether they come. None where we did not invite who wrote it: anybody can
    write an answer, and give it for somebody else."""
    wrote = told.mail.sender.address.lower()
    if threads.fails(told.mail.authentication) or told.attendee.lower() != wrote:
        return None
    return invitations.answered(
        passage.session,
        told.uid,
        wrote,
        told.answer,
        sequence=told.sequence,
        comment=told.comment,
        event_id=passage.event.id,
    )


def bounced(passage: Passage, bounce: Bounce) -> Lead | Deal | Contact | None:
    """A mail of ours came back: it, its step and, where that is for good, its address are marked.

    None where it is none that we sent, which is what a forged report comes to.
    """
    session = passage.session
    ids = (bounce.original_message_id, bounce.original_headers.get("message-id", ""), *bounce.mail.thread)
    message = threads.ours(session, ids, bounce.mail.recipients)
    about_it = messages.element_of(session, message) if message is not None else None
    if message is None or about_it is None:
        return None
    element = threads.held(session, about_it)
    lost = [r for r in bounce.recipients if r.address.lower() == message.to_address] or bounce.recipients
    if lost and all(r.action in ("delivered", "relayed", "expanded") for r in lost):
        return _delivered(passage, message, element)
    late = bool(lost) and all(r.action == "delayed" for r in lost)
    for_good = any(r.permanent for r in lost)
    # What the far server said is worth more than our words for it.
    reason = next((r.diagnostic for r in lost if r.diagnostic), bounce.reason)
    words = f"E-mail to {message.to_address} " + ("is delayed" if late else "came back")
    told = {"message": message.id, "to": message.to_address, "subject": message.subject}
    timeline.record(
        session,
        element,
        kind="mail_bounced",
        summary=f"{words}: {reason}",
        data={**told, "reason": reason, "permanent": for_good},
        event_id=passage.event.id,
    )
    if late:
        return element
    message.state, message.error = MessageState.BOUNCED, reason[:2000]
    _mark_step(session, message, reason)
    point = reachability.point(session, message.to_address)
    if for_good and point is not None and point.bounced_at is None:
        point.bounced_at, point.bounce_reason = clock.now(), reason[:500]
    data = {
        "to": message.to_address,
        "subject": message.subject,
        "reason": reason,
        "permanent": for_good,
    }
    passage.react(element, [about(element, "email.bounced", data)])
    return element


def _delivered(passage: Passage, message: Message, element: Lead | Deal | Contact) -> Lead | Deal | Contact:
    timeline.record(
        passage.session,
        element,
        kind="mail_delivered",
        summary=f"E-mail to {message.to_address} was delivered: {message.subject}",
        data={"message": message.id},
        event_id=passage.event.id,
    )
    return element


def _mark_step(session: Session, message: Message, reason: str) -> None:
    row = session.get(StepRow, message.step_id, with_for_update=True) if message.step_id else None
    if row is not None and row.state is StepState.DONE:
        row.state, row.result = StepState.FAILED, f"{row.result}; it came back: {reason}"[:2000]


def away(passage: Passage, note: OutOfOffice) -> Lead | Deal | Contact | None:
    """Somebody is away: noted, and neither an answer nor anything to answer. None for strangers."""
    session, mail = passage.session, note.mail
    if threads.fails(mail.authentication):
        return None
    answered = threads.ours(session, (note.original_message_id, *mail.thread), mail.recipients)
    element = messages.element_of(session, answered) if answered is not None else None
    if element is None and (person := threads.person_of(session, note.sender.address)) is not None:
        element = standing(session, person).element
    if element is None:
        return None
    message = threads.received(
        session,
        element,
        mail,
        event_id=passage.event.id,
        mailbox=passage.source.key,
        answers=answered,
        automatic=True,
    )
    until = f" until {note.until:%Y-%m-%d}" if note.until else ""
    timeline.record(
        session,
        element,
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
    return element
