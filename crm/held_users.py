"""Holds whoever is to be rung for one call, so that two that come at the same moment ring two people."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from models.call import Call
from models.held_user import HeldUser

#: By then the call stands in the database, and says itself who is rung.
TERM = timedelta(seconds=10)


def hold(session: Session, user_id: int, *, source_id: int, group_id: str) -> bool:
    """Holds the user for this call; says whether nobody else does. One statement, on a row of the user's."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    now = clock.now()
    said = {"source_id": source_id, "group_id": group_id[:200], "until": now + TERM}
    ours = and_(HeldUser.source_id == source_id, HeldUser.group_id == group_id[:200])
    taken = (
        dialect.insert(HeldUser)
        .values(user_id=user_id, **said)
        .on_conflict_do_update(
            index_elements=["user_id"],
            set_=said,
            where=or_(HeldUser.until < now, ours, _known(Call.result.is_not(None))),
        )
        .returning(HeldUser.user_id)
    )
    return session.scalar(taken) is not None


def held(session: Session, *, source_id: int, group_id: str) -> set[int]:
    """Who is held for other calls that the database knows nothing of yet."""
    others = or_(HeldUser.source_id != source_id, HeldUser.group_id != group_id[:200])
    chosen = select(HeldUser.user_id).where(HeldUser.until >= clock.now(), others, ~_known())
    return set(session.scalars(chosen))


def _known(*more: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether there is the call that somebody is held for."""
    return exists().where(Call.source_id == HeldUser.source_id, Call.group_id == HeldUser.group_id, *more)
