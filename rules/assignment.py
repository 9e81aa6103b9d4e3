"""Who gets the lead. Each strategy answers with a person and says, in words, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import Invalid
from models.rule import Rotation
from models.user import Team, TeamMember, User


@dataclass(frozen=True, slots=True)
class Choice:
    """The person chosen, and why."""

    user: User
    why: str


def named(session: Session, email: str) -> Choice:
    """This very user.

    Raises Invalid where there is none or they no longer work here.
    """
    user = session.scalars(select(User).where(User.email == email.lower())).one_or_none()
    if user is None or not user.active:
        raise Invalid(f"{email} {'has left' if user else 'is no user'}")
    return Choice(user, "named by the rule")


def round_robin(session: Session, team_key: str) -> Choice:
    """The active member whose turn it is, in the team's order.

    The turn is taken under a lock that lasts as long as the transaction, and given back with it.
    Raises Invalid where nobody is there.
    """
    members = _members(session, team_key)
    active = [m for m in members if m.active]
    if not active:
        raise Invalid(f"nobody in the team '{team_key}' is active")
    turn = _turn(session, f"round_robin:{team_key}")
    order = [m.id for m in members]
    after = order.index(turn.last_user_id) + 1 if turn.last_user_id in order else 0
    chosen = next(m for m in [*members[after:], *members[:after]] if m.active)
    turn.last_user_id = chosen.id
    skipped = [m.name for m in members if not m.active]
    why = f"round robin in {team_key}, {active.index(chosen) + 1} of {len(active)}"
    return Choice(chosen, why + (f" (skipped, not active: {', '.join(skipped)})" if skipped else ""))


def _members(session: Session, team_key: str) -> Sequence[User]:
    return session.scalars(
        select(User)
        .join(TeamMember, TeamMember.user_id == User.id)
        .join(Team, Team.id == TeamMember.team_id)
        .where(Team.key == team_key, Team.active)
        .order_by(TeamMember.position)
    ).all()


def _turn(session: Session, key: str) -> Rotation:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(Rotation).values(key=key, last_user_id=None).on_conflict_do_nothing())
    return session.scalars(
        select(Rotation)
        .where(Rotation.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
