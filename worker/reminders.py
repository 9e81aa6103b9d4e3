"""Reminds owners, and those of us who take part, of what they have planned: each reminder once."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from crm import notifications, staff_mail, workspace
from crm.element import element_of
from models.activity import Activity, ActivityReminder, ActivityState
from models.company import Company
from models.user import User

_MOST = 200


def tell() -> int:
    """Reminds of all that is to be reminded of by now; says how many reminders that were.

    A reminder is told, and its mails are written, in one transaction that holds its row.
    """
    with db.reading() as session:
        ids = session.scalars(
            select(ActivityReminder.id)
            .where(ActivityReminder.at <= clock.now())
            .order_by(ActivityReminder.at)
            .limit(_MOST)
        ).all()
    told = 0
    for reminder_id in ids:
        with db.unit_of_work() as session:
            told += _tell(session, reminder_id)
    return told


def _tell(session: Session, reminder_id: int) -> int:
    now = clock.now()
    row = session.scalars(
        select(ActivityReminder)
        .where(ActivityReminder.id == reminder_id, ActivityReminder.at <= now)
        .with_for_update(of=ActivityReminder, skip_locked=True)
    ).one_or_none()
    if row is None:
        return 0
    moment, row.at = row.at, None
    activity = session.get_one(Activity, row.activity_id)
    if activity.state is not ActivityState.PLANNED:
        return 0
    row.told_at = now
    people = {user.id: user for user in _people(activity) if user.active}
    for user in people.values():
        key = f"reminder:{row.id}:{moment.isoformat() if moment else ''}:{user.id}"
        _mail(session, activity, user, key)
    return 1


def _people(activity: Activity) -> list[User]:
    taking_part = [p.user for p in activity.participants if p.user is not None]
    return [*([activity.owner] if activity.owner is not None else []), *taking_part]


def _mail(session: Session, activity: Activity, user: User, key: str) -> None:
    here = workspace.load(session)
    there = activity.due_at.astimezone(ZoneInfo(activity.zone or here.timezone))
    when = f"{there:%A}, {there.day} {there:%B, %H:%M}"
    lines = [f"{activity.type.capitalize()}: {activity.subject}", f"When: {when}"]
    lines += [f"Where: {activity.place}"] if activity.place else []
    lines += ["", activity.note] if activity.note else []
    lines += ["", staff_mail.page_of(activity)]
    subject = f"{when}: {activity.subject}"
    element = element_of(session, activity)
    about = element if not isinstance(element, Company) else None
    notifications.tell(session, [user], subject, effect_key=key, actor="service", about=about)
    staff_mail.tell(session, user, subject=subject, text="\n".join(lines), key=key)
