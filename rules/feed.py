"""The feed of domain events: in an order that a reader can follow with a cursor and miss nothing.

Ids are given when a row is written, and commits come in another order: a reader that follows ids would
pass by what commits late. So a place in the feed is given when it is read, one reader at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import case, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models.domain_event import DomainEvent, FeedEnd

_MOST_PLACED = 2_000


def read(session: Session, *, after: int, kind: str | None, limit: int) -> tuple[Sequence[DomainEvent], int]:
    """The events behind a place, in order, and the place to go on from."""
    end = _place_new(session)
    chosen = select(DomainEvent).where(DomainEvent.position > after, DomainEvent.position <= end)
    if kind is not None:
        chosen = chosen.where(DomainEvent.kind == kind)
    rows = session.scalars(chosen.order_by(DomainEvent.position).limit(limit)).all()
    if len(rows) == limit:
        return rows, rows[-1].position or after
    return rows, max(end, after)


def _place_new(session: Session) -> int:
    """Gives those that have no place the next ones; answers the last place there is."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(FeedEnd).values(id=1, position=0).on_conflict_do_nothing(index_elements=["id"])
    )
    end = session.scalars(select(FeedEnd).with_for_update()).one()
    while True:
        ids = session.scalars(
            select(DomainEvent.id)
            .where(DomainEvent.position.is_(None))
            .order_by(DomainEvent.id)
            .limit(_MOST_PLACED)
        ).all()
        if ids:
            places = {event_id: end.position + n for n, event_id in enumerate(ids, start=1)}
            for some in _some_at_a_time(list(ids)):
                place = case({i: places[i] for i in some}, value=DomainEvent.id)
                session.execute(
                    update(DomainEvent)
                    .where(DomainEvent.id.in_(some))
                    .values(position=place)
                    .execution_options(synchronize_session=False)
                )
            end.position += len(ids)
        if len(ids) < _MOST_PLACED:
            session.flush()
            return end.position


def _some_at_a_time(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + 200] for start in range(0, len(ids), 200)]
