"""A lead made by hand: journalled like everything that arrives, and understood in the same transaction."""

from __future__ import annotations

import json
from typing import Self

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, undefer

from api import auth
from api.body import FieldValue, IdempotencyHeader, Line, Name, Text
from api.leads import Lead, resource
from api.parameters import e164
from api.resource import answer, refused
from core import clock, db
from core.errors import Invalid
from core.ids import new_id
from core.metrics import ACCEPTED, PROCESSED, REPEATED
from core.settings import settings
from crm import conversion, leads, own_sources, workspace
from crm.capture import capture
from crm.contact_points import email_address
from crm.submission import Submission
from intake import journal
from intake.delivery import Delivery
from intake.http import client_address
from models.inbound import EventState, InboundEvent
from models.lead import Lead as LeadRow
from models.source import Channel, Source
from rules import engine
from rules.assignment import ladder

ADAPTER = "api"
_KEY = "api"


class NewLead(BaseModel):
    """Who asked for what. At least one of name, email and phone is needed."""

    model_config = ConfigDict(extra="forbid")

    name: Line | None = None
    email: Line | None = None
    phone: Line | None = Field(None, description="In E.164 or as dialled in the workspace's country")
    company: Line | None = None
    title: Line | None = None
    message: Text | None = None
    fields: dict[Name, FieldValue] = Field(default_factory=dict, max_length=200, description="Custom fields")
    tags: list[Name] = Field(default_factory=list, max_length=50)
    source: Name | None = Field(
        None, description="Key of one of the workspace's own sources; the API if left out"
    )

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if not (self.name or self.email or self.phone):
            raise ValueError("name, email or phone is needed")
        return self


@resource.post("/leads", responses={201: Lead, **refused(400, 413, 415)})
def create_lead(header: IdempotencyHeader, body: NewLead) -> Response:
    """Takes an enquiry in: a new lead, or the person's open one, which then has it on its timeline."""
    if body.email and email_address(body.email) is None:
        raise Invalid("some values are not acceptable", {"/email": "is no e-mail address"})
    with db.unit_of_work() as session:
        if body.phone:
            e164(session, body.phone, field="/phone")
        source = _source(session)
        key = f"told:{header.key}" if header.key else new_id()
        (receipt,) = journal.append(session, [journal.Entry(source.id, ADAPTER, key, _delivery())])
        event = session.get_one(InboundEvent, receipt.event_id, options=[undefer(InboundEvent.body)])
        if receipt.new:
            own = own_sources.find(session, body.source) if body.source is not None else source
            _take_in(session, event, body, own)
        elif json.loads(event.body) != request.get_json():
            raise Invalid("some values are not acceptable", {"Idempotency-Key": "was used with another body"})
        row = session.get_one(LeadRow, event.lead_id)
        made = Lead.of(row)
    (ACCEPTED if receipt.new else REPEATED).labels(Channel.API.value).inc()
    if receipt.new:
        PROCESSED.labels(Channel.API.value, EventState.PROCESSED.value).inc()
    return answer(made, 201, location=f"{settings().address}/api/v1/leads/{made.id}")


def _source(session: Session) -> Source:
    """The source of what comes through the API, made when it is first used."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(Source)
        .values(channel=Channel.API, key=_KEY, name="API", settings={"key": _KEY, "name": "API"}, active=True)
        .on_conflict_do_nothing(index_elements=["channel", "key"])
    )
    return session.scalars(select(Source).where(Source.channel == Channel.API, Source.key == _KEY)).one()


def _delivery() -> Delivery:
    return Delivery(
        body=request.get_data(),
        content_type=(request.content_type or "")[:200],
        received_at=clock.now(),
        method=request.method,
        url=settings().address + request.path,
        headers={name.lower(): value[:2000] for name, value in request.headers.items()},
        remote_address=client_address(request.environ),
    )


def _take_in(session: Session, event: InboundEvent, asked: NewLead, source: Source) -> None:
    here = workspace.load(session)
    submission = Submission(
        channel=Channel.API,
        occurred_at=event.received_at,
        emails=(asked.email,) if asked.email else (),
        phones=(asked.phone,) if asked.phone else (),
        name=asked.name or "",
        company=asked.company or "",
        title=asked.title or "",
        message=asked.message or "",
        fields=asked.fields,
    )
    taken = capture(session, submission, source=source, event_id=event.id, country=here.country)
    happenings = list(taken.happenings)
    for tag in asked.tags:
        happenings += leads.add_tag(session, taken.lead, tag, actor=auth.caller().actor)
    engine.react(session, happenings, workspace=here, event_id=event.id)
    engine.react(session, ladder.catch(session, taken.lead, here), workspace=here, event_id=event.id)
    if here.mode == "simple":
        engine.react(session, conversion.straight(session, taken.lead), workspace=here, event_id=event.id)
    event.attempts = 1
    journal.close(event, EventState.PROCESSED, lead_id=taken.lead.id)
