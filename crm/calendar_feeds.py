"""A user's activities as a calendar that other programs read at a secret address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, selectinload

from core import clock
from core.ids import digest, new_token
from core.settings import settings
from crm import calendar_file, workspace
from models.activity import Activity, ActivityParticipant, ActivityState, CalendarFeed
from models.user import User

_PAST = timedelta(days=90)
_MOST = 2000


def open_feed(session: Session, user: User) -> tuple[CalendarFeed, str]:
    """A new feed of the user's, and its address, which cannot be read again."""
    token = new_token("cal")
    feed = CalendarFeed(user_id=user.id, user=user, token_hash=digest(token), created_at=clock.now())
    session.add(feed)
    session.flush()
    return feed, f"{settings().address}/calendar/{token}.ics"


def revoke(session: Session, feed: CalendarFeed) -> None:
    """Its address answers nothing any more."""
    feed.revoked_at = feed.revoked_at or clock.now()
    session.flush()


def revoke_all(session: Session, user: User) -> None:
    """All of the user's addresses answer nothing any more."""
    session.execute(
        update(CalendarFeed)
        .where(CalendarFeed.user_id == user.id, CalendarFeed.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )


def of_user(session: Session, user_id: int) -> Sequence[CalendarFeed]:
    """The user's feeds that can be read, the newest first."""
    chosen = select(CalendarFeed).where(CalendarFeed.user_id == user_id, CalendarFeed.revoked_at.is_(None))
    return session.scalars(chosen.order_by(CalendarFeed.id.desc()).limit(100)).all()


def read(session: Session, token: str) -> str | None:
    """The calendar at an address; None where there is none, it was revoked, or its user has left."""
    feed = session.scalars(
        select(CalendarFeed).where(
            CalendarFeed.token_hash == digest(token), CalendarFeed.revoked_at.is_(None)
        )
    ).one_or_none()
    if feed is None or not feed.user.active:
        return None
    here = workspace.load(session)
    shown = _activities(session, feed.user_id)
    return calendar_file.feed(shown, here=here, name=f"{here.name}: {feed.user.name}")


def _activities(session: Session, user_id: int) -> Sequence[Activity]:
    """What the user has to do or takes part in, and what was done of late."""
    taking_part = select(ActivityParticipant.activity_id).where(ActivityParticipant.user_id == user_id)
    chosen = select(Activity).where(
        or_(Activity.owner_id == user_id, Activity.id.in_(taking_part)),
        Activity.state != ActivityState.CANCELLED,
        or_(Activity.state == ActivityState.PLANNED, Activity.due_at >= clock.now() - _PAST),
    )
    chosen = chosen.options(selectinload(Activity.reminders)).order_by(Activity.due_at.desc(), Activity.id)
    return session.scalars(chosen.limit(_MOST)).all()
