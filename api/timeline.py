"""The timeline of a lead: what happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.calls import Recording
from api.leads import existing
from api.paging import Page, page_by
from api.parameters import Instant, Line, PageQuery, RowPath
from api.resource import answer, group, refused
from core import db
from crm import timeline
from crm.element import Element
from crm.timeline import Filters
from models.recording import Recording as RecordingRow
from models.timeline import TimelineEntry as EntryRow

resource = group("timeline", "What happened to a lead")


class TimelineEntry(BaseModel):
    """One happening."""

    id: int
    at: datetime
    kind: str
    summary: str = Field(description="One line for people")
    actor: str = Field(
        description="Who did it: 'user:7', 'rule:Enterprise enquiries', 'token:website', 'service'"
    )
    data: dict[str, Any] = Field(description="What the kind says beside the summary")
    event_id: str | None = Field(description="The inbound event it came with")
    lead_id: int | None
    contact_id: int | None
    company_id: int | None
    deal_id: int | None
    pinned: bool = Field(description="Whether somebody wants it at the top")
    recordings: list[Recording] = Field(description="Of a call; GET /recordings/{id} has the sound")

    @classmethod
    def of(cls, row: EntryRow, recordings: Iterable[Recording] = ()) -> Self:
        """An entry as it is told."""
        return cls(
            id=row.id,
            at=row.at,
            kind=row.kind,
            summary=row.summary,
            actor=row.actor,
            data=row.data,
            event_id=row.event_id,
            lead_id=row.lead_id,
            contact_id=row.contact_id,
            company_id=row.company_id,
            deal_id=row.deal_id,
            pinned=row.pinned,
            recordings=list(recordings),
        )


class TimelineQuery(PageQuery):
    """The filters of a timeline; an entry must fit them all."""

    kind: Line | None = Field(None, description="One or more, with commas: comment,call,stage_changed")
    actor: Line | None = Field(None, description="Such as user:7, or a kind of them: rule")
    since: Instant | None = None
    until: Instant | None = None
    pinned: bool | None = None
    q: Line | None = Field(None, description="Text in the summary, in any case")

    @property
    def filters(self) -> Filters:
        """The filters as timelines know them."""
        kinds = [k.strip() for k in (self.kind or "").split(",") if k.strip()]
        return Filters(kinds, self.actor, self.since, self.until, self.pinned, self.q)


def leaf(session: Session, element: Element, query: TimelineQuery) -> Page[TimelineEntry]:
    """A page of an element's timeline, newest first."""
    rows, following = page_by(
        lambda before, limit: timeline.page(session, element, query.filters, before=before, limit=limit),
        query,
        of=f"{element.__tablename__} timeline {element.id}",
    )
    return Page[TimelineEntry](items=told(session, rows), next_cursor=following)


def told(session: Session, rows: Sequence[EntryRow]) -> list[TimelineEntry]:
    """Entries as they are told, calls with their recordings."""
    calls = [c for r in rows if (c := _call_of(r)) is not None]
    chosen = select(RecordingRow).where(RecordingRow.call_id.in_(calls)).order_by(RecordingRow.id)
    found: dict[int | None, list[Recording]] = {}
    for one in session.scalars(chosen) if calls else ():
        found.setdefault(one.call_id, []).append(Recording.of(one))
    return [TimelineEntry.of(row, found.get(_call_of(row), ())) for row in rows]


def _call_of(row: EntryRow) -> int | None:
    call = row.data.get("call") if row.kind == "call" else None
    return call if isinstance(call, int) else None


@resource.get("/leads/<row:id>/timeline", responses={200: Page[TimelineEntry], **refused(404)})
def get_timeline(path: RowPath, query: TimelineQuery) -> Response:
    """What happened to the lead, newest first."""
    with db.reading() as session:
        return answer(leaf(session, existing(session, path.id), query))
