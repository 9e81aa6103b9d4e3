"""What users are told in the console: written, counted, read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from core import clock
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.notification import Notification
from models.user import User

_LONGEST = 2000


def tell(
    session: Session,
    users: Iterable[User],
    text: str,
    *,
    effect_key: str,
    actor: str,
    about: Lead | Deal | Contact | None = None,
) -> int:
    """Tells each of these users, once for each effect key; says how many were told now."""
    wanted = {user.id for user in users}
    there = session.scalars(
        select(Notification.user_id).where(
            Notification.effect_key == effect_key, Notification.user_id.in_(wanted)
        )
    )
    new = wanted.difference(there)
    session.add_all(
        Notification(
            user_id=user_id,
            effect_key=effect_key,
            at=clock.now(),
            text=text[:_LONGEST],
            actor=actor,
            lead_id=about.id if isinstance(about, Lead) else None,
            deal_id=about.id if isinstance(about, Deal) else None,
            contact_id=about.id if isinstance(about, Contact) else None,
        )
        for user_id in sorted(new)
    )
    session.flush()
    return len(new)


def of_user(user_id: int) -> Select[Notification]:
    """What a user was told, in no order."""
    return select(Notification).where(Notification.user_id == user_id)


def unread(session: Session) -> dict[int, int]:
    """How many each user has not read, by their ids; who has read all is not in it."""
    rows = session.execute(
        select(Notification.user_id, func.count())
        .where(Notification.read_at.is_(None))
        .group_by(Notification.user_id)
    )
    return {row[0]: row[1] for row in rows}


def mark_read(session: Session, user_id: int, ids: Sequence[int] | None = None) -> int:
    """Marks these of a user's as read, or all; says how many were not."""
    mine = Notification.user_id == user_id, Notification.read_at.is_(None)
    chosen = select(Notification.id).where(*mine)
    if ids is not None:
        chosen = chosen.where(Notification.id.in_(ids))
    found = list(session.scalars(chosen))
    for start in range(0, len(found), 500):
        some = found[start : start + 500]
        session.execute(update(Notification).where(Notification.id.in_(some)).values(read_at=clock.now()))
    return len(found)


def forget(session: Session, *, before: datetime, most: int) -> int:
    """Deletes the oldest from before a moment, at most so many; says how many."""
    ids = session.scalars(
        select(Notification.id).where(Notification.at < before).order_by(Notification.id).limit(most)
    ).all()
    session.execute(delete(Notification).where(Notification.id.in_(ids)))
    return len(ids)
