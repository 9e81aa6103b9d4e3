"""Telephone calls: read, one or many."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from api.paging import Page, page
from api.parameters import Line, PageQuery, RowId, RowPath, e164
from api.resource import answer, group, refused
from core import db
from core.errors import NotFound
from models.call import Call as CallRow
from models.call import CallResult
from models.source import Source

resource = group("calls", "Telephone calls")


class CallQuery(PageQuery):
    """The filters of calls; a call must fit them all."""

    line: Line | None = Field(None, description="The line's key")
    phone: Line | None = Field(
        None, description="Either end, in E.164 or as dialled in the workspace's country"
    )
    lead: RowId | None = None


class Call(BaseModel):
    """One call on one line, put together from its provider's events."""

    id: int
    line: str
    provider_call_id: str
    direction: str | None
    from_number: str | None = Field(serialization_alias="from", description="null: withheld")
    to_number: str | None = Field(serialization_alias="to")
    result: CallResult | None
    ring_seconds: int | None
    talk_seconds: int | None
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    recording_url: str | None
    lead_id: int | None
    contact_id: int | None

    @classmethod
    def of(cls, row: CallRow) -> Self:
        """A call as it is told."""
        return cls(
            id=row.id,
            line=row.source.key,
            provider_call_id=row.provider_call_id,
            direction=row.direction,
            from_number=row.from_number,
            to_number=row.to_number,
            result=row.result,
            ring_seconds=row.ring_seconds,
            talk_seconds=row.talk_seconds,
            started_at=row.started_at,
            answered_at=row.answered_at,
            ended_at=row.ended_at,
            recording_url=row.recording_url,
            lead_id=row.lead_id,
            contact_id=row.contact_id,
        )


@resource.get("/calls", responses={200: Page[Call]})
def list_calls(query: CallQuery) -> Response:
    """The calls that fit all filters, newest first."""
    chosen = select(CallRow).options(joinedload(CallRow.source))
    if query.line is not None:
        chosen = chosen.where(CallRow.source_id.in_(select(Source.id).where(Source.key == query.line)))
    if query.lead is not None:
        chosen = chosen.where(CallRow.lead_id == query.lead)
    with db.reading() as session:
        if query.phone is not None:
            number = e164(session, query.phone)
            chosen = chosen.where(or_(CallRow.from_number == number, CallRow.to_number == number))
        rows, following = page(session, chosen, CallRow.id, query, of="calls")
    return answer(Page[Call](items=[Call.of(row) for row in rows], next_cursor=following))


@resource.get("/calls/<row:id>", responses={200: Call, **refused(404)})
def get_call(path: RowPath) -> Response:
    """One call."""
    with db.reading() as session:
        row = session.get(CallRow, path.id, options=[joinedload(CallRow.source)])
        if row is None:
            raise NotFound("there is no such call")
    return answer(Call.of(row))
