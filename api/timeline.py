"""The timeline of a lead: what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import Select, select

from api.leads import existing
from api.paging import Page, page
from api.parameters import Line, PageQuery, RowPath
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
    lead_id: int | None
    contact_id: int | None
    company_id: int | None
    deal_id: int | None
    pinned: bool = Field(description="Whether somebody wants it at the top")

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
            lead_id=row.lead_id,
            contact_id=row.contact_id,
            company_id=row.company_id,
            deal_id=row.deal_id,
            pinned=row.pinned,
        )


class TimelineQuery(PageQuery):
    """The filters of a timeline; an entry must fit them all."""

    kind: Line | None = Field(None, description="Such as comment, call, submission, stage_changed")
    pinned: bool | None = None

    def narrowed(self, chosen: Select[EntryRow]) -> Select[EntryRow]:
        """The entries that fit."""
        if self.kind is not None:
            chosen = chosen.where(EntryRow.kind == self.kind)
        return chosen if self.pinned is None else chosen.where(EntryRow.pinned.is_(self.pinned))


@resource.get("/leads/<row:id>/timeline", responses={200: Page[TimelineEntry], **refused(404)})
def get_timeline(path: RowPath, query: TimelineQuery) -> Response:
    """What happened to the lead, newest first."""
    with db.reading() as session:
        existing(session, path.id)
        chosen = query.narrowed(select(EntryRow).where(EntryRow.lead_id == path.id))
        rows, following = page(session, chosen, EntryRow.id, query, of=f"timeline {path.id}")
    return answer(Page[TimelineEntry](items=[TimelineEntry.of(r) for r in rows], next_cursor=following))
