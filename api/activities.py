"""Planned actions: read, one or many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Self

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from api import auth
from api.body import Text
from api.leads import existing
from api.paging import Page, page
from api.parameters import Line, PageQuery, RowId, RowPath
from api.resource import answer, group, refused
from api.users import Owner
from core import db
from core.errors import Conflict, NotFound
from core.ids import new_id
from crm import activities, workspace
from crm.happening import Happening
from models.activity import Activity as ActivityRow
from models.activity import ActivityState
from models.lead import Lead
from models.user import User
from rules import engine

resource = group("activities", "What somebody is to do by a time")

SHOWN = joinedload(ActivityRow.owner)


class ActivityQuery(PageQuery):
    """The filters of activities; an activity must fit them all."""

    lead: RowId | None = None
    owner: Line | None = Field(None, description="E-mail address of the user")
    state: ActivityState | None = None


class Activity(BaseModel):
    """A call, meeting, task or e-mail that somebody is to do."""

    id: int
    type: str
    subject: str
    due_at: datetime
    owner: Owner | None
    state: ActivityState
    outcome: str | None
    urgency: int
    lead_id: int | None
    deal_id: int | None
    contact_id: int | None
    company_id: int | None
    created_at: datetime

    @classmethod
    def of(cls, row: ActivityRow) -> Self:
        """An activity as it is told."""
        return cls(
            id=row.id,
            type=row.type,
            subject=row.subject,
            due_at=row.due_at,
            owner=Owner.of(row.owner),
            state=row.state,
            outcome=row.outcome,
            urgency=row.urgency,
            lead_id=row.lead_id,
            deal_id=row.deal_id,
            contact_id=row.contact_id,
            company_id=row.company_id,
            created_at=row.created_at,
        )


@resource.get("/activities", responses={200: Page[Activity]})
def list_activities(query: ActivityQuery) -> Response:
    """The activities that fit all filters, the last planned first."""
    chosen = select(ActivityRow).options(SHOWN)
    if query.lead is not None:
        chosen = chosen.where(ActivityRow.lead_id == query.lead)
    if query.owner is not None:
        owner = select(User.id).where(func.lower(User.email) == query.owner.lower())
        chosen = chosen.where(ActivityRow.owner_id.in_(owner))
    if query.state is not None:
        chosen = chosen.where(ActivityRow.state == query.state)
    with db.reading() as session:
        rows, following = page(session, chosen, ActivityRow.id, query, of="activities")
    return answer(Page[Activity](items=[Activity.of(row) for row in rows], next_cursor=following))


@resource.get("/activities/<row:id>", responses={200: Activity, **refused(404)})
def get_activity(path: RowPath) -> Response:
    """One activity."""
    with db.reading() as session:
        row = session.get(ActivityRow, path.id, options=[SHOWN])
        if row is None:
            raise NotFound("there is no such activity")
    return answer(Activity.of(row))


class Outcome(BaseModel):
    """What came of an activity."""

    model_config = ConfigDict(extra="forbid")

    outcome: Text = ""


@resource.post("/activities/<row:id>/complete", responses={200: Activity, **refused(400, 404, 409, 413, 415)})
def complete_activity(path: RowPath, body: Outcome) -> Response:
    """Marks a planned activity as done."""
    return _end(path.id, activities.complete, body.outcome)


@resource.post("/activities/<row:id>/cancel", responses={200: Activity, **refused(400, 404, 409, 413, 415)})
def cancel_activity(path: RowPath, body: Outcome) -> Response:
    """Marks a planned activity as not to be done any more."""
    return _end(path.id, activities.cancel, body.outcome)


def _end(activity_id: int, end: Callable[..., list[Happening]], outcome: str) -> Response:
    with db.unit_of_work() as session:
        row = session.get(ActivityRow, activity_id, options=[SHOWN])
        if row is None:
            raise NotFound("there is no such activity")
        if row.lead_id is not None:
            # The lead first, as everywhere; whoever came before us has ended the activity by then.
            session.get_one(Lead, row.lead_id, with_for_update=True)
            session.refresh(row, with_for_update={"of": ActivityRow})
        if row.state is not ActivityState.PLANNED:
            raise Conflict(f"the activity is {row.state.value}")
        happened = end(session, row, actor=auth.caller().actor, outcome=outcome)
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        made = Activity.of(row)
    return answer(made)


@resource.get("/leads/<row:id>/activities", responses={200: Page[Activity], **refused(404)})
def get_lead_activities(path: RowPath, query: PageQuery) -> Response:
    """What is to be done about the lead, and what was; the last planned first."""
    with db.reading() as session:
        existing(session, path.id)
        chosen = select(ActivityRow).where(ActivityRow.lead_id == path.id).options(SHOWN)
        rows, following = page(session, chosen, ActivityRow.id, query, of=f"activities {path.id}")
    return answer(Page[Activity](items=[Activity.of(row) for row in rows], next_cursor=following))
