"""Comments on elements, and who is mentioned in them: `@ana`, `@Ana Souza` or `@ana@acme.test`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from crm import notifications, staff_mail, timeline
from crm.element import Element
from models.company import Company
from models.timeline import TimelineEntry
from models.user import User

KIND = "comment"
_LONGEST_SUMMARY = 200
_MOST_MENTIONS = 20


def add(
    session: Session, element: Element, text: str, *, actor: str, key: str | None = None
) -> TimelineEntry:
    """Remarks something on an element; whoever is mentioned is told, once for each comment."""
    users = [user for user in mentioned(session, text) if actor != f"user:{user.id}"]
    data: dict[str, object] = {"text": text}
    if key is not None:
        data["idempotency_key"] = key
    if users:
        data["mentions"] = [user.email for user in users]
    entry = timeline.record(
        session,
        element,
        kind=KIND,
        summary=" ".join(text.split())[:_LONGEST_SUMMARY],
        actor=actor,
        data=data,
    )
    element.updated_at = clock.now()
    session.flush()
    words = f"{_who(session, actor)} mentioned you: {entry.summary}"
    about = element if not isinstance(element, Company) else None
    told = f"mention:{entry.id}"
    notifications.tell(session, users, words, effect_key=told, actor=actor, about=about)
    for user in users:
        staff_mail.tell(
            session,
            user,
            subject=f"You were mentioned: {entry.summary}",
            text=f"{_who(session, actor)}:\n\n{text}\n\n{staff_mail.page_of(entry)}",
            key=f"{told}:{user.id}",
        )
    return entry


def mentioned(session: Session, text: str) -> Sequence[User]:
    """The users whom a text names behind an @, in its order: by address, by what stands before its @, or by
    name. What several users are called by names nobody."""
    if "@" not in text:
        return []
    called: dict[str, list[User]] = {}
    for user in session.scalars(select(User).where(User.active)):
        first = user.name.split()[0] if user.name.split() else ""
        names = (user.email, user.email.partition("@")[0], user.name, first)
        for name in {n.casefold() for n in names if n}:
            called.setdefault(name, []).append(user)
    longest_first = sorted(called, key=len, reverse=True)
    folded = text.casefold()
    found: dict[int, User] = {}
    place = folded.find("@")
    while place >= 0 and len(found) < _MOST_MENTIONS:
        if place == 0 or not (folded[place - 1].isalnum() or folded[place - 1] in "._-+"):
            said = next((n for n in longest_first if _stands(folded, place + 1, n)), None)
            if said is not None and len(called[said]) == 1:
                found.setdefault(called[said][0].id, called[said][0])
        place = folded.find("@", place + 1)
    return list(found.values())


def _stands(text: str, place: int, name: str) -> bool:
    """Whether the name stands there as a whole."""
    behind = text[place + len(name) : place + len(name) + 2]
    whole = not behind[:1].isalnum() and not (behind[:1] in ("@", ".", "-", "_") and behind[1:2].isalnum())
    return text.startswith(name, place) and whole


def _who(session: Session, actor: str) -> str:
    kind, _, rest = actor.partition(":")
    if kind == "user" and rest.isdecimal():
        user = session.get(User, int(rest))
        return user.name if user is not None else actor
    return rest or actor
