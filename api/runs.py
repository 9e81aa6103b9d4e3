"""Runs: what rules have set going on leads, and what a person may do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from api import auth
from api.body import IdempotencyHeader, Line
from api.elements import existing as existing_element
from api.leads import existing
from api.paging import Page, page
from api.parameters import Line as QueryLine
from api.parameters import PageQuery, RowId, RowPath
from api.resource import answer, group, refused
from api.trace import Step
from core import db
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from crm import workspace
from crm.happening import about
from models.contact import Contact
from models.deal import Deal
from models.rule import Run as RunRow
from models.rule import RunState
from rules import engine, runs, subject
from rules.subject import Subject

resource = group("runs", "What rules have set going")

_SHOWN = selectinload(RunRow.steps)


class RunQuery(PageQuery):
    """The filters of runs; a run must fit them all."""

    lead: RowId | None = None
    deal: RowId | None = None
    contact: RowId | None = None
    rule: QueryLine | None = Field(None, description="The rule's name")
    state: RunState | None = None


class Run(BaseModel):
    """One rule on one lead, deal or contact, for one happening."""

    id: int
    rule: str
    ruleset_version: int
    lead_id: int | None
    deal_id: int | None
    contact_id: int | None
    state: RunState
    trigger: str
    started_at: datetime
    ended_at: datetime | None
    ended_why: str | None = Field(description="Why it ended before its last step")
    steps: list[Step]

    @classmethod
    def of(cls, row: RunRow) -> Self:
        """A run as it is told."""
        return cls(
            id=row.id,
            rule=row.rule,
            ruleset_version=row.ruleset_version_id,
            lead_id=row.lead_id,
            deal_id=row.deal_id,
            contact_id=row.contact_id,
            state=row.state,
            trigger=row.cause.get("trigger", ""),
            started_at=row.started_at,
            ended_at=row.ended_at,
            ended_why=row.ended_why,
            steps=[Step.of(step) for step in row.steps],
        )


class NewRun(BaseModel):
    """Which rule is to be started on which lead, deal or contact."""

    model_config = ConfigDict(extra="forbid")

    rule: Line = Field(min_length=1, description="Name of an active rule, whatever it waits for")
    lead: RowId | None = None
    deal: RowId | None = None
    contact: RowId | None = None


@resource.get("/runs", responses={200: Page[Run]})
def list_runs(query: RunQuery) -> Response:
    """The runs that fit all filters, the last started first."""
    chosen = select(RunRow).options(_SHOWN)
    if query.lead is not None:
        chosen = chosen.where(RunRow.lead_id == query.lead)
    if query.deal is not None:
        chosen = chosen.where(RunRow.deal_id == query.deal)
    if query.contact is not None:
        chosen = chosen.where(RunRow.contact_id == query.contact)
    if query.rule is not None:
        chosen = chosen.where(RunRow.rule == query.rule)
    if query.state is not None:
        chosen = chosen.where(RunRow.state == query.state)
    with db.reading() as session:
        rows, following = page(session, chosen, RunRow.id, query, of="runs")
        items = [Run.of(row) for row in rows]
    return answer(Page[Run](items=items, next_cursor=following))


@resource.get("/runs/<row:id>", responses={200: Run, **refused(404)})
def get_run(path: RowPath) -> Response:
    """One run with its steps."""
    with db.reading() as session:
        return answer(_run(session, path.id))


@resource.post("/runs", responses={201: Run, **refused(400, 404, 409, 413, 415)})
def start_run(header: IdempotencyHeader, body: NewRun) -> Response:
    """Starts a rule on a lead, a deal or a contact where its condition is true of it."""
    cause = f"started by {auth.caller().actor} {header.key or new_id()}"
    with db.unit_of_work() as session:
        element = _named(session, body)
        here = workspace.load(session)
        why = engine.start(session, body.rule, about(element, "manual"), workspace=here, cause=cause)
        if why is not None:
            raise Conflict(why)
        wanted = (*subject.runs_on(element), RunRow.rule == body.rule)
        run_id = session.scalars(select(RunRow.id).where(*wanted).order_by(RunRow.id.desc()).limit(1)).one()
    with db.reading() as session:
        return answer(_run(session, run_id), 201)


@resource.post("/runs/<row:id>/cancel", responses={200: Run, **refused(404, 409)})
def cancel_run(path: RowPath) -> Response:
    """Ends a run: what it waits for and what is still to be sent is not done any more."""
    with db.unit_of_work() as session:
        run = session.get(RunRow, path.id)
        if run is None:
            raise NotFound("there is no such run")
        subject.hold_rows(session, run.lead_id, run.deal_id, run.contact_id)
        session.refresh(run, with_for_update=True)
        if run.state is not RunState.ACTIVE:
            raise Conflict(f"the run is {run.state.value}")
        engine.cancel(session, run, f"cancelled by {auth.caller().actor}")
    with db.reading() as session:
        return answer(_run(session, path.id))


@resource.post("/steps/<row:id>/retry", responses={200: Step, **refused(404, 409)})
def retry_step(path: RowPath) -> Response:
    """Does a failed step again."""
    with db.unit_of_work() as session:
        made = Step.of(runs.retry(session, path.id))
    return answer(made)


@resource.post("/steps/<row:id>/skip", responses={200: Step, **refused(404, 409)})
def skip_step(path: RowPath) -> Response:
    """Goes on without a step that failed, or that is still to be done or waited for."""
    with db.unit_of_work() as session:
        made = Step.of(runs.skip(session, path.id, by=auth.caller().actor))
    return answer(made)


def _named(session: Session, body: NewRun) -> Subject:
    """The one element that is named, held until the transaction ends."""
    named = {k: v for k, v in (("lead", body.lead), ("deal", body.deal), ("contact", body.contact)) if v}
    if len(named) != 1:
        raise Invalid("some values are not acceptable", {"/lead": "say one of lead, deal and contact"})
    if body.lead is not None:
        lead = existing(session, body.lead, lock=True)
        if lead.merged_into_id is not None:
            raise Conflict(f"the lead is part of lead {lead.merged_into_id} now")
        return lead
    if body.deal is not None:
        return existing_element(session, Deal, body.deal, lock=True)
    return existing_element(session, Contact, body.contact or 0, lock=True)


def _run(session: Session, run_id: int) -> Run:
    row = session.get(RunRow, run_id, options=[_SHOWN])
    if row is None:
        raise NotFound("there is no such run")
    return Run.of(row)
