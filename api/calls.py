"""Telephone calls: read, one or many."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload, selectinload

from api import auth
from api.body import Line as Words
from api.call_order import CallOrder
from api.leads import Lead
from api.paging import Page, page
from api.parameters import Line, PageQuery, RowId, RowPath, e164
from api.resource import answer, group, refused
from core import db
from core.errors import Invalid, NotFound
from crm import ringing
from crm.call_view import legs
from intake import download, taking
from models.call import Call as CallRow
from models.call import CallResult
from models.call_order import CallOrder as OrderRow
from models.recording import Recording as RecordingRow
from models.recording import RecordingState
from models.source import Source
from models.user import User

resource = group("calls", "Telephone calls")
#: What a call is shown with.
WITH = (
    joinedload(CallRow.source),
    joinedload(CallRow.user),
    joinedload(CallRow.rung_user),
    selectinload(CallRow.recordings),
    selectinload(CallRow.order).options(selectinload(OrderRow.commands), joinedload(OrderRow.user)),
)


class CallQuery(PageQuery):
    """The filters of calls; a call must fit them all."""

    line: Line | None = Field(None, description="The line's key")
    phone: Line | None = Field(
        None, description="Either end, in E.164 or as dialled in the workspace's country"
    )
    lead: RowId | None = None
    deal: RowId | None = None
    contact: RowId | None = None
    ringing: bool | None = Field(None, description="true: calls that ring and that nobody has answered")


class Taker(BaseModel):
    """Who takes the call."""

    model_config = ConfigDict(extra="forbid")

    user: Words = Field(min_length=3, description="E-mail address of a user")


class Recording(BaseModel):
    """A recording, or a message the caller left. Its content is at /recordings/<id> once it is kept."""

    id: int
    state: RecordingState
    kind: str = Field(description="Media type, by its content")
    size: int = Field(description="In bytes")
    error: str = Field(description="Why it could not be fetched, at the last try")
    kept_at: datetime | None

    @classmethod
    def of(cls, row: RecordingRow) -> Self:
        """A recording as it is told."""
        return cls(
            id=row.id, state=row.state, kind=row.kind, size=row.size, error=row.error, kept_at=row.kept_at
        )


class Leg(BaseModel):
    """One connection of a call: to whom, and what became of it."""

    leg: str
    to_number: str | None = Field(serialization_alias="to")
    result: CallResult | None
    answered_at: datetime | None
    ended_at: datetime | None
    answered_by: str | None


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
    answered_by: str | None = Field(description="The user's e-mail address, else as the provider names them")
    rung_user: str | None = Field(description="Whom the caller was put through to, by e-mail address")
    rung_number: str | None = Field(description="At which number; the fallback's where `rung_user` is null")
    rung_why: str | None = Field(description="Why them")
    recording_url: str | None
    recordings: list[Recording]
    transcript: str | None
    legs: list[Leg] = Field(description="The telephones that were rung for it, where the provider tells")
    closed_reason: str | None = Field(
        description="Why it counts as over though no end was told, or was never put through"
    )
    order: CallOrder | None = Field(description="How it was placed; null for a call that was not placed here")
    lead_id: int | None
    deal_id: int | None
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
            answered_by=row.user.email if row.user and row.answered_by else row.answered_by,
            rung_user=row.rung_user.email if row.rung_user else None,
            rung_number=row.rung_number,
            rung_why=row.rung_why,
            recording_url=row.recording_url,
            recordings=[Recording.of(r) for r in row.recordings],
            transcript=row.transcript,
            legs=[
                Leg(
                    leg=leg.leg,
                    to_number=leg.to_number,
                    result=leg.result,
                    answered_at=leg.answered_at,
                    ended_at=leg.ended_at,
                    answered_by=leg.answered_by,
                )
                for leg in legs(row.facts)
            ],
            closed_reason=row.closed_reason,
            order=CallOrder.of(row.order, call=row),
            lead_id=row.lead_id,
            deal_id=row.deal_id,
            contact_id=row.contact_id,
        )


@resource.get("/calls", responses={200: Page[Call]})
def list_calls(query: CallQuery) -> Response:
    """The calls that fit all filters, newest first."""
    chosen = select(CallRow).options(*WITH)
    if query.line is not None:
        chosen = chosen.where(CallRow.source_id.in_(select(Source.id).where(Source.key == query.line)))
    if query.lead is not None:
        chosen = chosen.where(CallRow.lead_id == query.lead)
    if query.deal is not None:
        chosen = chosen.where(CallRow.deal_id == query.deal)
    if query.contact is not None:
        chosen = chosen.where(CallRow.contact_id == query.contact)
    if query.ringing:
        chosen = chosen.where(*ringing.under_way())
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
        row = session.get(CallRow, path.id, options=WITH)
        if row is None:
            raise NotFound("there is no such call")
    return answer(Call.of(row))


@resource.post("/calls/<row:id>/take", responses={200: Lead, **refused(400, 404, 409, 413, 415)})
def take_call(path: RowPath, body: Taker) -> Response:
    """The lead of a call that rings, made now if there is none; it is the user's where nobody has it."""
    with db.unit_of_work() as session:
        row = session.get(CallRow, path.id)
        if row is None:
            raise NotFound("there is no such call")
        user = session.scalars(select(User).where(User.email == body.user.lower(), User.active)).first()
        if user is None:
            raise Invalid("some values are not acceptable", {"/user": "is no user"})
        lead = Lead.of(taking.take(session, row, user, actor=auth.caller().actor))
    return answer(lead)


@resource.get("/recordings/<row:id>", responses={**refused(404)})
def get_recording(path: RowPath) -> Response:
    """A recording's content, as sound; parts of it where `Range` asks for them."""
    with db.reading() as session:
        row = session.get(RecordingRow, path.id)
        if row is None or row.state is not RecordingState.KEPT:
            raise NotFound("there is no such recording")
        place, kind, size = row.place, row.kind, row.size
    return download.as_sound(place, kind, size)
