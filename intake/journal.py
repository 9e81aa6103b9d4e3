"""The journal: written by the door, claimed and closed by the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from core import clock, queue
from core.ids import new_id
from core.rows import draw
from intake import statements
from intake.delivery import RELEASED, Delivery
from intake.errand import TRIES
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
class Entry:
    """What is to be journalled. `again` names a key under which the same content may stand already.

    `apart`: why it is quarantined at the door. `urgent`: whether it goes before all others; `late`: whether
    all others go before it, since it is one of many that have waited already.
    """

    source_id: int
    adapter: str
    dedupe_key: str
    delivery: Delivery
    again: str | None = None
    apart: str | None = None
    urgent: bool = False
    late: bool = False

    @property
    def actor(self) -> str:
        """Who is to be woken for it."""
        if self.urgent:
            return queue.PROCESS_CALL
        return queue.PROCESS_BACKLOG if self.late else queue.PROCESS_EVENT


@dataclass(frozen=True, slots=True)
class Receipt:
    """The event's id, and whether this delivery made it."""

    event_id: str
    new: bool


def append(session: Session, entries: Sequence[Entry]) -> list[Receipt]:
    """Journals the entries in order and wakes the worker for the new ones.

    An entry whose source and key are in the journal already gets the receipt of that event.
    """
    standing = _standing(session, entries)
    rows: dict[tuple[int, str], dict[str, object]] = {}
    for entry in entries:
        if not _found(standing, entry):
            rows.setdefault((entry.source_id, entry.dedupe_key), _row(entry))
    if rows and statements.insert_new(session, list(rows.values())) < len(rows):
        standing |= _standing(session, entries)  # another process was quicker with some of them
    fresh = {key: str(row["id"]) for key, row in rows.items() if standing.get(key, row["id"]) == row["id"]}
    actors = {(entry.source_id, entry.dedupe_key): entry.actor for entry in reversed(entries)}
    for key, event_id in fresh.items():
        if rows[key]["state"] is EventState.RECEIVED:
            queue.wake(session, actors[key], event_id)
    receipts = []
    for entry in entries:
        event_id = fresh.pop((entry.source_id, entry.dedupe_key), "")
        if event_id:
            standing[entry.source_id, entry.dedupe_key] = event_id
        receipts.append(Receipt(event_id or _found(standing, entry) or "", new=bool(event_id)))
    return receipts


def _row(entry: Entry) -> dict[str, object]:
    delivery = entry.delivery
    return {
        "id": new_id(),
        "source_id": entry.source_id,
        "adapter": entry.adapter,
        "dedupe_key": entry.dedupe_key,
        "state": EventState.QUARANTINED if entry.apart else EventState.RECEIVED,
        "error": entry.apart,
        "received_at": delivery.received_at,
        "retry_at": delivery.received_at,
        "attempts": 0,
        "content_type": delivery.content_type,
        "envelope": delivery.envelope(),
        "body": delivery.body,
    }


def _standing(session: Session, entries: Sequence[Entry]) -> dict[tuple[int, str], str]:
    wanted: dict[int, set[str]] = {}
    for entry in entries:
        wanted.setdefault(entry.source_id, set()).update(k for k in (entry.dedupe_key, entry.again) if k)
    found: dict[tuple[int, str], str] = {}
    for source_id, keys in wanted.items():
        found |= statements.standing(session, source_id, keys)
    return found


def _found(standing: dict[tuple[int, str], str], entry: Entry) -> str | None:
    return standing.get((entry.source_id, entry.dedupe_key)) or (
        standing.get((entry.source_id, entry.again)) if entry.again else None
    )


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

    def join(self, session: Session) -> None:
        """Has the session hold it all."""
        session.add_all(self.rows)
        for kind, number in self.numbers.items():
            draw(session, kind, number)


def claim(connection: Connection, event_id: str) -> Claim | None:
    """Takes the event for `LEASE`; None where it is done, waits for its time, or is in work elsewhere.

    The attempt is counted before it is made, so that one which takes its process down is counted too. Its
    commit is not waited for on the disk: a crash that forgets it lets the event be claimed again.
    """
    statement = _CLAIM_LIGHTLY if connection.dialect.name == "postgresql" else _CLAIM
    attempt = connection.scalar(statement.returning(_TABLE.c.attempts), _claim_of(event_id))
    return Claim(event_id, attempt) if attempt is not None else None


def take(connection: Connection, event_id: str) -> Taken | None:
    """Claims the event as `claim` does, and reads it with what is read for every one."""
    if connection.dialect.name == "postgresql":
        return _read(connection, _TAKE, _claim_of(event_id))
    held = claim(connection, event_id)
    return take_again(connection, held) if held is not None else None


def take_again(connection: Connection, held: Claim) -> Taken | None:
    """Reads an event anew that is claimed; None where the claim was lost to another worker meanwhile."""
    return _read(connection, _TAKE_AGAIN, {"this": held.event_id, "attempt": held.attempt})


def _claim_of(event_id: str) -> dict[str, object]:
    now = clock.now()
    return {"this": event_id, "now": now, "until": now + LEASE}


def _read(connection: Connection, statement: Select[Any], given: Mapping[str, object]) -> Taken | None:
    with Session(connection, expire_on_commit=False) as reader:
        row = reader.execute(statement, given).one_or_none()
        reader.expunge_all()
    if row is None:
        return None
    event, *around = row[:4]
    rows = (event, *(one for one in around if one is not None))
    return Taken(Claim(event.id, event.attempts), event, rows, dict(zip(_MADE, row[4:], strict=False)))


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
_CLAIM_LIGHTLY = _CLAIM.where(func.set_config("synchronous_commit", "off", True) == "off")
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


_TAKEN = aliased(InboundEvent, _CLAIM_LIGHTLY.returning(_TABLE).cte("taken"))
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


def close(
    event: InboundEvent,
    state: EventState,
    *,
    error: str | None = None,
    lead_id: int | None = None,
) -> None:
    """Gives the event its final state, and the lead that came of it."""
    event.state, event.error = state, error
    event.lease_until, event.processed_at = None, clock.now()
    event.lead_id = lead_id or event.lead_id


def postpone(event: InboundEvent, *, error: str) -> None:
    """Lets the event be tried again later, longer after each attempt (1 s, 4 s, 9 s …)."""
    event.error = error
    event.lease_until = None
    event.retry_at = clock.now() + timedelta(seconds=event.attempts**2)


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


def learn(event: InboundEvent, facts: Mapping[str, object]) -> None:
    """Adds what was found out to what the event came with."""
    event.envelope = {**event.envelope, "facts": {**event.envelope["facts"], **facts}}


def refill(session: Session, event: InboundEvent, body: bytes, key: str) -> bool:
    """Gives the event the content that could not be had when it came; `key` follows from it.

    Where another event has brought this content meanwhile, this one is closed: says whether it goes on.
    """
    other = session.scalar(
        select(InboundEvent.id).where(
            InboundEvent.source_id == event.source_id,
            InboundEvent.dedupe_key == key,
            InboundEvent.id != event.id,
        )
    )
    if other is not None:
        close(event, EventState.IGNORED, error=f"it came in as event {other}")
        return False
    event.body, event.dedupe_key = body, key
    learn(event, {"fetch_error": None})
    return True


def wait(event: InboundEvent, tries: int, *, error: str) -> None:
    """Lets an event whose errand failed be tried again: after 2 s, 4 s, 8 s … at most an hour.

    Such tries are counted by themselves: a service that is away takes none of the event's own attempts.
    """
    learn(event, {TRIES: tries})
    event.error = error
    event.attempts = 0
    event.lease_until = None
    event.retry_at = clock.now() + min(timedelta(seconds=2 ** min(tries, 12)), timedelta(hours=1))


def replay(session: Session, event: InboundEvent) -> None:
    """Lets a closed event be processed again. What it did already is found by its keys, not done twice.

    One that was quarantined is released by this: whoever replays it says that it is an enquiry.
    """
    if event.state is EventState.QUARANTINED:
        learn(event, {RELEASED: True})
    learn(event, {TRIES: 0})
    event.state = EventState.RECEIVED
    event.attempts = 0
    event.error = None
    event.lease_until = None
    event.processed_at = None
    event.retry_at = clock.now()
    queue.wake(session, queue.PROCESS_EVENT, event.id)
