"""An event in a worker's hands: claimed by one, read with what every event needs, and given back by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased, undefer

from core import clock
from core.rows import draw
from models.activity import Activity
from models.base import Base
from models.inbound import EventState, InboundEvent
from models.rule import RulesetVersion, Run
from models.source import Source
from models.workspace import WorkspaceRow
from rules.ruleset import WHICH

#: How long a worker may take for one event before another one takes it over.
LEASE = timedelta(seconds=10)
#: After so many attempts that ended without an answer an event is set aside as failed.
MOST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to one event until its lease ends; `attempt` tells it from earlier ones."""

    event_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A claimed event with its body, and the `rows` that are read for every one: itself, its source, the
    workspace, and which rules are in force. `numbers` were drawn for what most events make.

    None of the rows is in a session yet.
    """

    held: Claim
    event: InboundEvent
    rows: tuple[object, ...]
    numbers: Mapping[type[Base], int]
    since: datetime

    @property
    def is_contested(self) -> bool:
        """Whether to look, and to hold the row, before anything is done: a first attempt that outlasts its
        lease is in vain, a second one must not be."""
        return self.held.attempt > 1 or clock.now() > self.since + LEASE / 2

    def join(self, session: Session) -> None:
        """Has the session hold it all."""
        session.add_all(self.rows)
        for kind, number in self.numbers.items():
            draw(session, kind, number)


def take(connection: Connection, event_id: str) -> Taken | None:
    """Takes the event for `LEASE`, and reads it with what is read for every one; None where it is done, waits
    for its time, or is in work elsewhere.

    The attempt is counted before it is made, so that one which takes its process down is counted too. Its
    commit is not waited for on the disk: a crash that forgets it lets the event be claimed again.
    """
    now = clock.now()
    given = {"this": event_id, "now": now, "until": now + LEASE}
    if connection.dialect.name == "postgresql":
        return _read(connection, _TAKE, given)
    attempt = connection.scalar(_CLAIM_COUNTED, given)
    return take_again(connection, Claim(event_id, attempt)) if attempt is not None else None


def take_again(connection: Connection, held: Claim) -> Taken | None:
    """Reads an event anew that is claimed; None where the claim was lost to another worker meanwhile."""
    return _read(connection, _TAKE_AGAIN, {"this": held.event_id, "attempt": held.attempt})


def _read(connection: Connection, statement: Select[Any], given: Mapping[str, object]) -> Taken | None:
    with Session(connection, expire_on_commit=False) as reader:
        row = reader.execute(statement, given).one_or_none()
        reader.expunge_all()
    if row is None:
        return None
    event, *around = row[:4]
    rows = (event, *(one for one in around if one is not None))
    numbers = dict(zip(_MADE, row[4:], strict=False))
    return Taken(Claim(event.id, event.attempts), event, rows, numbers, clock.now())


def waiting(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """The condition for an event that may be claimed now."""
    return and_(
        InboundEvent.state == EventState.RECEIVED,
        InboundEvent.retry_at <= now,
        or_(InboundEvent.lease_until.is_(None), InboundEvent.lease_until < now),
    )


# Made once, since they are on every event's way.
_TABLE = cast(Table, InboundEvent.__table__)
_CLAIM = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("this"), waiting(bindparam("now", type_=_TABLE.c.retry_at.type)))
    .values(attempts=_TABLE.c.attempts + 1, lease_until=bindparam("until", type_=_TABLE.c.lease_until.type))
)
_CLAIM_COUNTED = _CLAIM.returning(_TABLE.c.attempts)
_CLAIM_LIGHTLY = _CLAIM.where(func.set_config("synchronous_commit", "off", True) == "off").returning(_TABLE)
_CLAIMED = (
    select(InboundEvent)
    .where(
        InboundEvent.id == bindparam("this"),
        InboundEvent.state == EventState.RECEIVED,
        InboundEvent.attempts == bindparam("attempt"),
    )
    .options(undefer(InboundEvent.body))
)


def _with_surroundings(chosen: Select[Any], event: type[InboundEvent]) -> Select[Any]:
    return (
        chosen.add_columns(Source, WorkspaceRow, RulesetVersion)
        .join(Source, Source.id == event.source_id)
        .outerjoin(WorkspaceRow, WorkspaceRow.id == 1)
        .outerjoin(RulesetVersion, RulesetVersion.id == WorkspaceRow.ruleset_version_id)
        .options(WHICH, undefer(event.body))
    )


_TAKEN = aliased(InboundEvent, _CLAIM_LIGHTLY.cte("taken"))
# What an event mostly makes one of: with its number it is written with all the rest (see core.rows).
_MADE = (Run, Activity)
_NUMBERS = [func.nextval(func.pg_get_serial_sequence(kind.__tablename__, "id")) for kind in _MADE]
_TAKE = _with_surroundings(select(_TAKEN), _TAKEN).add_columns(*_NUMBERS)
_TAKE_AGAIN = _with_surroundings(_CLAIMED, InboundEvent)


def longest_wait(session: Session) -> timedelta:
    """How long the oldest event that may be claimed has waited; nothing where none does."""
    now = clock.now()
    oldest = session.scalar(select(func.min(InboundEvent.received_at)).where(waiting(now)))
    return max(now - oldest, timedelta()) if oldest else timedelta()


def claimed(session: Session, held: Claim) -> InboundEvent | None:
    """The event with its body, locked; None where the claim was lost to another worker meanwhile."""
    given = {"this": held.event_id, "attempt": held.attempt}
    return session.scalars(_CLAIMED.with_for_update(), given).one_or_none()


def prolong(session: Session, held: Claim, lease: timedelta) -> bool:
    """Lets the claim stand for longer; says whether it still stood."""
    found = session.scalar(
        update(InboundEvent)
        .where(
            InboundEvent.id == held.event_id,
            InboundEvent.state == EventState.RECEIVED,
            InboundEvent.attempts == held.attempt,
        )
        .values(lease_until=clock.now() + lease)
        .returning(InboundEvent.id)
    )
    return found is not None
