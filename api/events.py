"""Inbound events: the journal, read and replayed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.auth import require
from api.paging import Page, page
from api.parameters import EventPath, Line, PageQuery
from api.resource import answer, group, refused
from core import db
from core.errors import NotFound
from intake import journal
from models.inbound import EventState, InboundEvent
from models.source import Channel, Source
from models.user import Role

resource = group("events", "The journal: what arrived, and what became of it")

#: What may be told of an event's facts. Others may hold what opens a door.
_TOLD_FACTS = frozenset({"folder", "uid", "uidvalidity"})
_REPLAYABLE = (EventState.FAILED, EventState.IGNORED, EventState.QUARANTINED)


class EventQuery(PageQuery):
    """The filters of events; an event must fit them all."""

    state: EventState | None = None
    source: Line | None = Field(None, description="The source's key")


class Event(BaseModel):
    """One delivery, and what became of it."""

    id: str
    source: str
    channel: Channel
    adapter: str
    state: EventState
    attempts: int
    error: str | None
    received_at: datetime
    processed_at: datetime | None
    lead_id: int | None

    @classmethod
    def of(cls, row: InboundEvent, source: Source, **more: Any) -> Self:
        """An event as it is told."""
        return cls(
            id=row.id,
            source=source.key,
            channel=source.channel,
            adapter=row.adapter,
            state=row.state,
            attempts=row.attempts,
            error=row.error,
            received_at=row.received_at,
            processed_at=row.processed_at,
            lead_id=row.lead_id,
            **more,
        )


class Envelope(BaseModel):
    """What surrounded the body, without what may be secret."""

    method: str
    url: str = Field(description="Without its query")
    headers: dict[str, str]
    remote_address: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, row: InboundEvent) -> Self:
        """An envelope as it is told."""
        kept = row.envelope
        return cls(
            method=kept["method"],
            url=urlsplit(kept["url"])._replace(query="", fragment="").geturl(),
            headers=kept["headers"],
            remote_address=kept["remote_address"],
            facts={name: value for name, value in kept["facts"].items() if name in _TOLD_FACTS},
        )


class EventInFull(Event):
    """An event with its surroundings; its body is at `/events/{id}/raw`."""

    content_type: str
    size: int = Field(description="Bytes of the body")
    envelope: Envelope


@resource.get("/events", responses={200: Page[Event]})
def list_events(query: EventQuery) -> Response:
    """The events that fit all filters, newest first."""
    chosen = select(InboundEvent)
    if query.state is not None:
        chosen = chosen.where(InboundEvent.state == query.state)
    if query.source is not None:
        chosen = chosen.where(InboundEvent.source_id.in_(select(Source.id).where(Source.key == query.source)))
    with db.reading() as session:
        rows, following = page(session, chosen, InboundEvent.id, query, of="events")
        ids = {row.source_id for row in rows}
        sources = {s.id: s for s in session.scalars(select(Source).where(Source.id.in_(ids)))}
    items = [Event.of(row, sources[row.source_id]) for row in rows]
    return answer(Page[Event](items=items, next_cursor=following))


@resource.get("/events/<uuid:id>", responses={200: EventInFull, **refused(404)})
def get_event(path: EventPath) -> Response:
    """One event, without its body."""
    with db.reading() as session:
        row, source = _existing(session, path)
        size = session.scalar(select(func.length(InboundEvent.body)).where(InboundEvent.id == row.id))
    return answer(
        EventInFull.of(row, source, content_type=row.content_type, size=size, envelope=Envelope.of(row))
    )


@resource.get(
    "/events/<uuid:id>/raw",
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The bytes"},
        **refused(404),
    },
)
@require(Role.ADMIN, Role.MANAGER)
def get_event_body(path: EventPath) -> Response:
    """The body, byte for byte as it came, to be saved and never shown: it is a stranger's."""
    with db.reading() as session:
        body = session.scalar(select(InboundEvent.body).where(InboundEvent.id == str(path.id)))
    if body is None:
        raise NotFound("there is no such event")
    made = Response(body, mimetype="application/octet-stream")
    made.headers["Content-Disposition"] = f'attachment; filename="{path.id}.bin"'
    made.headers["X-Content-Type-Options"] = "nosniff"
    return made


@resource.post("/events/<uuid:id>/replay", responses={200: Event, **refused(404)})
@require(Role.ADMIN, Role.MANAGER)
def replay_event(path: EventPath) -> Response:
    """Lets an event that failed, was ignored or quarantined be processed again; others stay as they are."""
    with db.unit_of_work() as session:
        row, source = _existing(session, path, lock=True)
        if row.state in _REPLAYABLE:
            journal.replay(session, row)
            session.flush()
        told = Event.of(row, source)
    return answer(told)


def _existing(session: Session, path: EventPath, *, lock: bool = False) -> tuple[InboundEvent, Source]:
    row = session.get(InboundEvent, str(path.id), with_for_update=lock)
    if row is None:
        raise NotFound("there is no such event")
    return row, session.get_one(Source, row.source_id)
