"""Who may have a lead now: active, at work, not absent, below the caps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.orm import Session, defer

from core import clock
from core.rows import flush_any
from crm.element import person_id_of
from crm.workspace import WorkspaceSettings
from models.activity import Activity, ActivityState
from models.lead import OPEN, Lead
from models.user import Team, TeamMember, User
from rules import calendars
from rules.assignment.gift import Gift, lead_id_of

_MEMBERS = (
    select(User, Team.calendar)
    .join(TeamMember, TeamMember.user_id == User.id)
    .join(Team, Team.id == TeamMember.team_id)
    .where(Team.key == bindparam("key"), Team.active)
    .order_by(TeamMember.position)
    .options(defer(User.password_hash), defer(User.phone), defer(User.extension), defer(User.from_file))
    .execution_options(populate_existing=True, autoflush=False)
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A user, why they cannot have it, if so, and their load where that was asked for."""

    user: User
    load: int
    why_not: str | None


def of_team(
    session: Session,
    team_key: str,
    here: WorkspaceSettings,
    *,
    skill: str | None = None,
    load: str | None = None,
) -> list[Candidate]:
    """The team's members in the order of their turns."""
    flush_any(session, User, Team, TeamMember)
    members = session.execute(_MEMBERS, {"key": team_key}).all()
    return _judged(session, [(row.User, row.calendar) for row in members], here, skill=skill, load=load)


def of_user(session: Session, user: User, here: WorkspaceSettings) -> Candidate:
    """One user, asked for by name: their hours and caps do not count, their absence does."""
    why_not = None if user.active else "has left"
    return Candidate(user, 0, why_not or absent(user, clock.now().astimezone(here.zone).date()))


def sticky(session: Session, gift: Gift, here: WorkspaceSettings) -> Candidate | None:
    """Whoever had the person's last lead before this one; None where there was none."""
    person_id, lead_id = person_id_of(gift), lead_id_of(gift)
    if person_id is None:
        return None
    chosen = select(User).join(Lead, Lead.owner_id == User.id).where(Lead.person_id == person_id)
    if lead_id is not None:
        chosen = chosen.where(Lead.id != lead_id)
    user = session.scalars(chosen.order_by(Lead.id.desc()).limit(1)).first()
    return _judged(session, [(user, None)], here)[0] if user is not None else None


def _judged(
    session: Session,
    users: Sequence[tuple[User, str | None]],
    here: WorkspaceSettings,
    *,
    skill: str | None = None,
    load: str | None = None,
) -> list[Candidate]:
    now = clock.now()
    today = now.astimezone(here.zone).date()
    ids = [user.id for user, _ in users]
    by_leads = load == "leads"
    if any(u.capacity is not None or u.daily is not None for u, _ in users):
        # Two teams may share somebody: what is counted against their caps stands until this lead is given.
        held = select(User.id).where(User.id.in_(ids)).order_by(User.id)
        session.execute(held.with_for_update(key_share=True)).all()
    open_leads = (
        _counted(session, ids, Lead.status.in_(OPEN))
        if any(u.capacity is not None for u, _ in users) or by_leads
        else {}
    )
    midnight = datetime.combine(today, time(), here.zone)
    of_today = (
        _counted(session, ids, Lead.given_at >= midnight)
        if any(u.daily is not None for u, _ in users)
        else {}
    )
    at_work = {key: _at_work(session, key, now, here) for key in {u.calendar or c for u, c in users}}
    loads = open_leads if by_leads else _activities(session, ids) if load == "activities" else {}
    return [
        Candidate(
            user,
            loads.get(user.id, 0),
            hindrance(
                user,
                skill=skill,
                today=today,
                at_work=at_work[user.calendar or team_calendar],
                open_leads=open_leads.get(user.id, 0),
                of_today=of_today.get(user.id, 0),
            ),
        )
        for user, team_calendar in users
    ]


def hindrance(
    user: User, *, skill: str | None, today: date, at_work: bool, open_leads: int, of_today: int
) -> str | None:
    """Why a user cannot have a lead, in words; None where nothing stands against it."""
    return (
        ("not active" if not user.active else None)
        or (f"has not the skill {skill}" if skill is not None and skill not in user.skills else None)
        or absent(user, today)
        or (None if at_work else "not at work now")
        or _at_cap(user.capacity, open_leads, "open leads")
        or _at_cap(user.daily, of_today, "leads of today")
    )


def _counted(session: Session, ids: Sequence[int], which: ColumnElement[bool]) -> dict[int, int]:
    rows = session.execute(
        select(Lead.owner_id, func.count()).where(Lead.owner_id.in_(ids), which).group_by(Lead.owner_id)
    ).all()
    return {owner_id: number for owner_id, number in rows if owner_id is not None}


def _activities(session: Session, ids: Sequence[int]) -> dict[int, int]:
    rows = session.execute(
        select(Activity.owner_id, func.count())
        .where(Activity.owner_id.in_(ids), Activity.state == ActivityState.PLANNED)
        .group_by(Activity.owner_id)
    ).all()
    return {owner_id: number for owner_id, number in rows if owner_id is not None}


def absent(user: User, today: date) -> str | None:
    """Why and until when a user is away on a day; None where they are not."""
    for absence in user.absences:
        if date.fromisoformat(absence["from"]) <= today <= date.fromisoformat(absence["to"]):
            return f"{absence.get('reason') or 'absent'} until {absence['to']}"
    return None


def _at_work(session: Session, key: str | None, now: datetime, here: WorkspaceSettings) -> bool:
    calendar = calendars.named(session, key, here.zone) if key is not None else None
    return calendar is None or calendar.is_open(now)


def _at_cap(most: int | None, has: int, what: str) -> str | None:
    return f"at the cap of {most} {what}" if most is not None and has >= most else None
