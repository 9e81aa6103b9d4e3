"""Deals: what is to be sold to whom, for how much, and how far that has come."""

from __future__ import annotations

from typing import Any

from flask import Response
from pydantic import Field
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from api import auth, single
from api.body import Line as BodyLine
from api.body import Text
from api.deal_view import SHOWN, Deal, DealChange, Stay
from api.elements import Body, ElementQuery, existing, given, mentions, narrowed, not_null, referred
from api.paging import Page, page
from api.parameters import Instant, Line, RowId, RowPath
from api.resource import answer, group, refused
from api.versions import unchanged, with_version
from core import db
from core.errors import Invalid
from core.ids import new_id
from core.settings import settings
from crm import deal_lines, deals, workspace
from models.company import Company
from models.contact import Contact
from models.deal import Deal as DealRow
from models.deal import DealContact
from models.pipeline import Pipeline, Stage, StageGroup
from models.source import Source
from rules import engine, subject

resource = group("deals", "What is to be sold, and how far that has come")


class DealQuery(ElementQuery):
    """The filters of deals; a deal must fit them all."""

    pipeline: Line | None = Field(None, description="The pipeline's key")
    stage: Line | None = Field(None, description="The stage's key")
    state: StageGroup | None = Field(None, description="The stage's group")
    contact: RowId | None = Field(None, description="Id of a contact that has a part in it")
    company: RowId | None = None
    lead: RowId | None = Field(None, description="Id of the lead it came from")
    source: Line | None = Field(None, description="The source's key")
    template: RowId | None = Field(None, description="Id of a deal template by which it comes again")
    closed_after: Instant | None = None


class StageMove(Body):
    """Where a deal is to go."""

    stage: BodyLine = Field(
        min_length=1, description="The stage's key; `won` and `lost` also mean their group"
    )
    pipeline: BodyLine | None = Field(None, description="Another pipeline's key")
    reason: BodyLine | None = Field(None, description="Key of a closing reason")
    note: Text = ""


@resource.get("/deals", responses={200: Page[Deal]})
def list_deals(query: DealQuery) -> Response:
    """The deals that fit all filters, newest first."""
    chosen = select(DealRow).options(*SHOWN)
    if query.pipeline is not None:
        lines = select(Pipeline.id).where(Pipeline.key == query.pipeline)
        chosen = chosen.where(DealRow.pipeline_id.in_(lines))
    if query.stage is not None:
        chosen = chosen.where(DealRow.stage_id.in_(select(Stage.id).where(Stage.key == query.stage)))
    if query.state is not None:
        chosen = chosen.where(DealRow.state == query.state)
    if query.contact is not None:
        part = select(DealContact.deal_id).where(DealContact.contact_id == query.contact)
        chosen = chosen.where(or_(DealRow.contact_id == query.contact, DealRow.id.in_(part)))
    for column, wanted in (
        (DealRow.company_id, query.company),
        (DealRow.lead_id, query.lead),
        (DealRow.template_id, query.template),
    ):
        if wanted is not None:
            chosen = chosen.where(column == wanted)
    if query.source is not None:
        chosen = chosen.where(DealRow.source_id.in_(select(Source.id).where(Source.key == query.source)))
    if query.q is not None:
        chosen = chosen.where(mentions((DealRow.title, DealRow.number), query.q))
    if query.closed_after is not None:
        chosen = chosen.where(DealRow.closed_at > query.closed_after)
    with db.reading() as session:
        chosen = narrowed(session, chosen, DealRow, query)
        rows, following = page(session, chosen, DealRow.id, query, of="deals")
        return answer(Page[Deal](items=[Deal.of(row) for row in rows], next_cursor=following))


@resource.get("/deals/<row:id>", responses={200: Deal, **refused(404)})
def get_deal(path: RowPath) -> Response:
    """One deal."""
    return single.told(DealRow, path.id, Deal.of)


@resource.get("/deals/<row:id>/stages", responses={200: Page[Stay], **refused(404)})
def get_stages(path: RowPath) -> Response:
    """The stages a deal has been in, and for how long each; the first one first."""
    with db.reading() as session:
        row = existing(session, DealRow, path.id)
        return answer(Page[Stay](items=[Stay.of(stay) for stay in row.stays], next_cursor=None))


@resource.post("/deals", responses={201: Deal, **refused(400, 413, 415)})
def create_deal(body: DealChange) -> Response:
    """Makes a deal."""
    actor = auth.caller().actor
    with db.unit_of_work() as session:
        values = given(session, body, "deal", complete=True)
        if not values.get("title"):
            raise Invalid("some values are not acceptable", {"/title": "is required"})
        _referred(session, values)
        contact_id, contacts = values.pop("contact_id", None), values.pop("contacts", None) or []
        lines = values.pop("lines", None)
        row = deals.create(
            session,
            actor=actor,
            contact=session.get(Contact, contact_id) if contact_id is not None else None,
            custom=values.pop("fields", None),
            **{k: v for k, v in values.items() if v is not None},
        )
        _parts(session, row, contacts, actor)
        if lines is not None:
            from_body(session, row, lines, actor)
        session.flush()
        happened = deals.told(row, "deal.created", {})
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        session.flush()
        made = Deal.of(row)
    return answer(made, 201, location=f"{settings().address}/api/v1/deals/{made.id}")


@resource.patch("/deals/<row:id>", responses={200: Deal, **refused(400, 404, 409, 412, 413, 415)})
def change_deal(path: RowPath, body: DealChange) -> Response:
    """Sets what is given, and nothing else; a stage as POST /deals/<id>/stage does."""
    actor = auth.caller().actor
    with db.unit_of_work() as session:
        row = _held(session, path.id)
        unchanged(row)
        values = given(session, body, "deal")
        not_null(values, "title", "currency", "pipeline", "stage", "tags", "contacts", "lines")
        if values.get("title") == "":
            raise Invalid("some values are not acceptable", {"/title": "is empty"})
        _referred(session, values)
        stage, pipeline = values.pop("stage", None), values.pop("pipeline", None)
        reason, lines = values.pop("reason", None), values.pop("lines", None)
        contacts = values.pop("contacts", None)
        deals.change(session, row, values, actor=actor, new_lines=lines is not None)
        if contacts is not None:
            _parts(session, row, contacts, actor)
        if lines is not None:
            from_body(session, row, lines, actor)
        happened = []
        if stage is not None or pipeline is not None or reason is not None:
            stays = stage is None and pipeline is None
            to = row.stage.key if stays else stage
            happened = deals.change_stage(session, row, to, actor=actor, pipeline=pipeline, reason=reason)
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        session.flush()
        session.refresh(row)
        return with_version(answer(Deal.of(row)), row)


@resource.post("/deals/<row:id>/stage", responses={200: Deal, **refused(400, 404, 412, 413, 415)})
def move_deal(path: RowPath, body: StageMove) -> Response:
    """Moves a deal to another stage: on, back, to won or to lost with a reason, or to another pipeline."""
    with db.unit_of_work() as session:
        row = _held(session, path.id)
        unchanged(row)
        happened = deals.change_stage(
            session,
            row,
            body.stage,
            actor=auth.caller().actor,
            pipeline=body.pipeline,
            reason=body.reason or None,
            note=body.note,
        )
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        session.flush()
        session.refresh(row)
        return with_version(answer(Deal.of(row)), row)


@resource.delete("/deals/<row:id>", responses={204: None, **refused(404, 409, 412)})
def delete_deal(path: RowPath) -> Response:
    """Deletes a deal that nothing hangs on: no call, mail or file."""
    return single.deleted(DealRow, path.id)


def _held(session: Session, deal_id: int) -> DealRow:
    """The deal, held with the lead that it came from, which rules may change. Raises NotFound."""
    row = existing(session, DealRow, deal_id)
    subject.hold_rows(session, row.lead_id, row.id, None)
    return row


def from_body(
    session: Session, row: DealRow, lines: list[dict[str, Any]], actor: str, *, add: bool = False
) -> None:
    """Makes the lines of a body the deal's; with `add` beside those it has."""
    standing = frozenset(line.product_id for line in row.lines)
    made = [
        deal_lines.line(session, row.currency, line, field=f"/lines/{place}", standing=standing)
        for place, line in enumerate(lines)
    ]
    deal_lines.set_lines(session, row, [*row.lines, *made] if add else made, actor=actor)


def _referred(session: Session, values: dict[str, Any]) -> None:
    referred(session, values, {"contact_id": Contact, "company_id": Company})
    for place, part in enumerate(values.get("contacts") or ()):
        if session.get(Contact, part["contact_id"]) is None:
            raise Invalid("some values are not acceptable", {f"/contacts/{place}/contact_id": "is not there"})


def _parts(session: Session, row: DealRow, contacts: list[dict[str, Any]], actor: str) -> None:
    if contacts or row.contacts:
        parts = [(part["contact_id"], part.get("role") or "") for part in contacts]
        deals.set_contacts(session, row, parts, actor=actor)
