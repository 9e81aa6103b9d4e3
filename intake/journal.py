"""The journal: written by the door, closed by the worker who has claimed the event (see intake.claims)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from core.ids import new_id
from intake import statements
from intake.delivery import RELEASED, Delivery
from intake.errand import TRIES
from models.inbound import EventState, InboundEvent


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
