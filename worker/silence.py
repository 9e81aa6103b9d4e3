"""Counts what each source brings by the hour, and looks which are quiet against their rhythm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, db
from core.ids import first_id
from crm import workspace
from intake import rhythm
from intake.rhythm import Silence
from models.alert import SourceHour
from models.inbound import InboundEvent
from models.source import Source

_KEPT = rhythm.WINDOW + timedelta(weeks=1)
#: Of an older journal so much is counted at a time.
_STEP = timedelta(days=1)
_HOUR = timedelta(hours=1)


def count() -> None:
    """Brings the counts up to now; the last hours anew, since they were not over when they were counted."""
    now = _hour(clock.now())
    with db.reading() as session:
        last = session.scalar(select(func.max(SourceHour.hour)))
    begin = max(last - _HOUR, now - _KEPT) if last is not None else now - _KEPT
    while begin <= now:
        with db.unit_of_work(durable=False) as session:
            _count(session, begin, min(begin + _STEP, now + _HOUR))
        begin += _STEP
    with db.unit_of_work(durable=False) as session:
        session.execute(delete(SourceHour).where(SourceHour.hour < now - _KEPT))


def _count(session: Session, begin: datetime, end: datetime) -> None:
    # An event's id is made after it was received, and grows with time: an hour's are found by it.
    rows = session.execute(
        select(InboundEvent.source_id, InboundEvent.received_at).where(
            InboundEvent.id >= first_id(begin), InboundEvent.id < first_id(end + _HOUR)
        )
    )
    counted = Counter((row.source_id, _hour(row.received_at)) for row in rows)
    values = [
        {"source_id": source_id, "hour": hour, "deliveries": number}
        for (source_id, hour), number in counted.items()
        if begin <= hour < end
    ]
    if values:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        made = dialect.insert(SourceHour)
        session.execute(
            made.on_conflict_do_update(
                index_elements=["source_id", "hour"], set_={"deliveries": made.excluded.deliveries}
            ),
            values,
        )


def quiet(session: Session) -> Iterator[tuple[Source, Silence]]:
    """The active sources that are quieter than chance explains."""
    now, zone = clock.now(), workspace.load(session).zone
    for source in session.scalars(select(Source).where(Source.active).order_by(Source.id)):
        rows = session.execute(
            select(SourceHour.hour, SourceHour.deliveries).where(SourceHour.source_id == source.id)
        ).all()
        counted = {row.hour: row.deliveries for row in rows if row.deliveries}
        if counted and (found := rhythm.silence(counted, _last(session, source, max(counted)), now, zone)):
            yield source, found


def _last(session: Session, source: Source, hour: datetime) -> datetime:
    """When its last delivery came; it was in this hour."""
    found = session.scalar(
        select(func.max(InboundEvent.received_at)).where(
            InboundEvent.source_id == source.id,
            InboundEvent.id >= first_id(hour),
            InboundEvent.id < first_id(hour + 2 * _HOUR),
        )
    )
    return found or hour + _HOUR  # its event may be gone by now


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
