"""Leads: read, one or many."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session, joinedload

from api.lead_query import LeadQuery, matching
from api.paging import Page, page
from api.parameters import RowPath
from api.resource import answer, group, refused
from api.users import Owner
from api.versions import with_place, with_version
from core import db
from core.errors import Conflict, NotFound
from crm import found, merging
from crm.leads import status_of
from models.lead import Lead as LeadRow
from models.sla import SlaClock, SlaState
from models.source import Channel

resource = group("leads", "Enquiries, each one lead of one person")

_SHOWN = (joinedload(LeadRow.owner), joinedload(LeadRow.source), joinedload(LeadRow.sla))


class Sla(BaseModel):
    """The clock from an enquiry to the first answer by a person."""

    policy: str
    state: SlaState
    started_at: datetime
    due_at: datetime | None = Field(description="When the time is up, as long as it runs")
    breached_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, row: SlaClock | None) -> Self | None:
        """A clock as it is told."""
        if row is None:
            return None
        return cls(
            policy=row.policy,
            state=row.state,
            started_at=row.started_at,
            due_at=row.due_at,
            breached_at=row.breached_at,
            ended_at=row.ended_at,
        )


class Lead(BaseModel):
    """One enquiry of one person, from the first contact to its conversion."""

    id: int
    number: int
    title: str
    status: str = Field(
        description="new, in_progress, converted, junk, merged, or one of the workspace's own"
    )
    channel: Channel
    source: str = Field(description="The source's key")
    owner: Owner | None
    name: str
    email: str | None
    phone: str | None = Field(description="In E.164")
    company: str | None
    message: str
    score: int
    tags: list[str]
    fields: dict[str, Any]
    attribution: dict[str, Any]
    found: dict[str, str] = Field(
        description="What was read out of a mail's text and stated by nobody: phone, company, role"
    )
    consent: bool | None = Field(description="Whether they agreed; null where nobody asked")
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    closing_reason: str | None
    first_response_at: datetime | None
    last_inbound_at: datetime
    last_outbound_at: datetime | None = Field(description="When a person of ours last turned to them")
    unanswered: bool = Field(description="Whether they were heard of after that")
    sla: Sla | None = Field(description="The clock to the first answer; null where no policy applies")
    contact_id: int | None
    company_id: int | None
    merged_into_id: int | None = Field(description="The lead that this one turned out to be part of")

    @classmethod
    def of(cls, row: LeadRow) -> Self:
        """A lead as it is told."""
        return cls(
            id=row.id,
            number=row.id,
            title=row.title,
            status=status_of(row),
            channel=row.channel,
            source=row.source.key,
            owner=Owner.of(row.owner),
            name=row.name,
            email=row.email,
            phone=row.phone,
            company=row.company,
            message=row.message,
            score=row.score,
            tags=row.tags,
            fields=row.fields,
            attribution=row.attribution,
            found=found.marked(row),
            consent=row.consent,
            created_at=row.created_at,
            updated_at=row.updated_at,
            closed_at=row.closed_at,
            closing_reason=row.closing_reason,
            first_response_at=row.first_response_at,
            last_inbound_at=row.last_inbound_at,
            last_outbound_at=row.last_outbound_at,
            unanswered=row.unanswered,
            sla=Sla.of(row.sla),
            contact_id=row.contact_id,
            company_id=row.company_id,
            merged_into_id=row.merged_into_id,
        )


def existing(session: Session, lead_id: int, *, lock: bool = False) -> LeadRow:
    """The lead, or the one that it is part of now; to change it (`lock`), the lead itself, held until the
    transaction ends.

    Raises NotFound, and Conflict for a change of what is part of another.
    """
    row = session.get(LeadRow, lead_id, with_for_update={"of": LeadRow} if lock else None)
    if row is None:
        raise NotFound("there is no such lead")
    if lock and row.merged_into_id is not None:
        raise Conflict(f"the lead is part of lead {row.merged_into_id} now")
    return merging.standing(session, row)


@resource.get("/leads", responses={200: Page[Lead]})
def list_leads(query: LeadQuery) -> Response:
    """The leads that fit all filters, newest first.

    `email` and `phone` find every lead of the person who uses that address or number. Leads that
    were merged into another are left out unless `status=merged` asks for them.
    """
    with db.reading() as session:
        chosen = matching(session, query).options(*_SHOWN)
        rows, following = page(session, chosen, LeadRow.id, query, of="leads")
    return answer(Page[Lead](items=[Lead.of(row) for row in rows], next_cursor=following))


@resource.get("/leads/<row:id>", responses={200: Lead, **refused(404)})
def get_lead(path: RowPath) -> Response:
    """One lead; of one that became part of another, the other."""
    with db.reading() as session:
        row = existing(session, path.id)
        return with_place(with_version(answer(Lead.of(row)), row), row, path.id)
