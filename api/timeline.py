"""The timeline of a lead: what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from api.leads import existing
from api.paging import Page, page
from api.parameters import PageQuery, RowPath
from api.resource import answer, group, refused
from core import db
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

    @classmethod
    def of(cls, row: EntryRow) -> Self:
        """An entry as it is told."""
        return cls(
            id=row.id,
            at=row.at,
            kind=row.kind,
            summary=row.summary,
            actor=row.actor,
            data=row.data,
            event_id=row.event_id,
        )


@resource.get("/leads/<row:id>/timeline", responses={200: Page[TimelineEntry], **refused(404)})
def get_timeline(path: RowPath, query: PageQuery) -> Response:
    """What happened to the lead, newest first."""
    with db.reading() as session:
        existing(session, path.id)
        chosen = select(EntryRow).where(EntryRow.lead_id == path.id)
        rows, following = page(session, chosen, EntryRow.id, query, of=f"timeline {path.id}")
    return answer(Page[TimelineEntry](items=[TimelineEntry.of(r) for r in rows], next_cursor=following))
