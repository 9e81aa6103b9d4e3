"""Invitations to activities by mail (RFC 5546, RFC 6047): noted here, sent as all mails are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from core.ids import digest
from crm import calendar_file, notifications, thread_token, timeline, workspace
from crm.activity_parts import tell
from crm.calendar_file import Method, Somebody
from crm.contact_points import email_address
from crm.element import element_of
from crm.workspace import WorkspaceSettings
from models.activity import Activity, ActivityParticipant, ActivityState, ParticipantAnswer
from models.company import Company
from models.message import Direction, Message, MessageState
from models.user import User

_ANSWERS = {answer.value.upper(): answer for answer in ParticipantAnswer}
_WORDS = {
    ParticipantAnswer.ACCEPTED: "accepted",
    ParticipantAnswer.DECLINED: "declined",
    ParticipantAnswer.TENTATIVE: "accepted tentatively",
}


def send(
    session: Session, activity: Activity, *, actor: str, gone: Iterable[ActivityParticipant] = ()
) -> int:
    """Invites those who take part, or tells them what has changed; takes it back from those who are `gone`.

    Nothing is sent twice for one state of the activity. Says how many mails it made.
    """
    if not activity.invites or activity.state is not ActivityState.PLANNED or activity.owner is None:
        return 0
    sent = _mail(session, activity, "REQUEST", list(activity.participants), actor)
    return sent + _mail(session, activity, "CANCEL", list(gone), actor)


def withdraw(session: Session, activity: Activity, *, actor: str, always: bool = False) -> int:
    """Tells those who were invited that nothing comes of it; `always`: also where nobody is invited now."""
    if not activity.invites and not always:
        return 0
    activity.sequence += 1
    return _mail(session, activity, "CANCEL", list(activity.participants), actor)


def answered(
    session: Session, uid: str, address: str, answer: str, *, sequence: int, comment: str, event_id: str
) -> Activity | None:
    """Notes what somebody has answered to their invitation, and tells who invited them.

    `uid` is by what calendars know the activity, `answer` as calendars write it. An answer to what has been
    changed since is told, and does not count. None where they were not invited, or where it is no answer.
    """
    said = _ANSWERS.get(answer)
    activity_id = calendar_file.activity_of(uid)
    activity = session.get(Activity, activity_id, with_for_update={"of": Activity}) if activity_id else None
    if said is None or activity is None:
        return None
    who = [p for p in activity.participants if (at := address_of(p)) and at.email.lower() == address.lower()]
    if not who:
        return None
    stands = sequence >= activity.sequence and activity.state is ActivityState.PLANNED
    words = f"{_name(who[0]) or address} has {_WORDS[said]}: {activity.subject}"
    if stands:
        for participant in who:
            participant.answer, participant.answered_at = said, clock.now()
    else:
        words += " (an answer to what has been changed since)"
    data = {"activity": activity.id, "answer": said.value, "from": address, "text": comment}
    tell(
        session,
        activity,
        "answered",
        summary=words,
        actor=timeline.SERVICE,
        data={name: value for name, value in data.items() if value},
        event_id=event_id,
    )
    if activity.owner is not None:
        element = element_of(session, activity)
        notifications.tell(
            session,
            [activity.owner],
            words,
            effect_key=f"answered:{event_id}",
            actor=timeline.SERVICE,
            about=None if isinstance(element, Company) else element,
        )
    return activity


def _name(participant: ActivityParticipant) -> str:
    found = address_of(participant)
    return found.name if found is not None else ""


def address_of(participant: ActivityParticipant) -> Somebody | None:
    """Where somebody is invited; None for a contact without an address."""
    if participant.user is not None:
        return Somebody(participant.user.email, participant.user.name)
    if participant.contact is not None:
        email = participant.email or participant.contact.email
        return Somebody(email, participant.contact.name) if email else None
    return Somebody(participant.email, participant.name) if participant.email else None


def _mail(
    session: Session,
    activity: Activity,
    method: Method,
    participants: Sequence[ActivityParticipant],
    actor: str,
) -> int:
    session.flush()
    here = workspace.load(session)
    owner = session.get(User, activity.owner_id) if activity.owner_id is not None else None
    if owner is None:
        return 0
    reached = [(p, who) for p in participants if (who := address_of(p)) is not None]
    guests = [who for _, who in reached]
    made = 0
    for participant, who in reached:
        to = email_address(who.email)
        if to is None or to.lower() == owner.email.lower():
            continue
        key = f"invitation:{activity.id}:{activity.sequence}:{method}:{digest(to.lower())[:16]}"
        known = select(Message.id).where(Message.direction == Direction.OUT, Message.effect_key == key)
        if session.scalar(known) is not None:
            continue
        listed = guests if method == "REQUEST" else [who]
        text = calendar_file.invitation(
            activity, method, here=here, host=Somebody(owner.email, owner.name), guests=listed
        )
        message = _note(session, activity, key, to, owner, actor, method, here)
        message.calendar = text
        # What is said to one of us is no answer to the lead.
        if participant.user_id is None:
            message.lead_id, message.contact_id = activity.lead_id, activity.contact_id
            message.deal_id = activity.deal_id
        session.flush()
        queue.wake(session, queue.SEND_MAIL, message.id)
        made += 1
    return made


def _note(
    session: Session,
    activity: Activity,
    key: str,
    to: str,
    owner: User,
    actor: str,
    method: Method,
    here: WorkspaceSettings,
) -> Message:
    token = thread_token.token_of(key)
    word = "Invitation" if method == "REQUEST" and activity.sequence == 0 else "Changed"
    word = "Cancelled" if method == "CANCEL" else word
    now = clock.now()
    message = Message(
        direction=Direction.OUT,
        state=MessageState.QUEUED,
        effect_key=key,
        token=token,
        message_id=thread_token.message_id(key),
        thread=token,
        to_address=to.lower(),
        from_name=owner.name,
        subject=_one_line(f"{word}: {activity.subject}")[:200],
        text=_text(activity, owner, here),
        actor=actor,
        user_id=owner.id,
        created_at=now,
        due_at=now,
    )
    session.add(message)
    return message


def _text(activity: Activity, owner: User, here: WorkspaceSettings) -> str:
    lines = [
        activity.subject,
        "",
        f"When: {_when(activity.due_at, ZoneInfo(activity.zone or here.timezone))}",
        f"Where: {activity.place}" if activity.place else "",
        f"With: {owner.name} <{owner.email}>",
        "",
        activity.note,
    ]
    return "\n".join(line for line in lines if line or line == "").strip() + "\n"


def _when(at: datetime, zone: ZoneInfo) -> str:
    there = at.astimezone(zone)
    return f"{there:%A}, {there.day} {there:%B %Y, %H:%M} ({zone.key})"


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
