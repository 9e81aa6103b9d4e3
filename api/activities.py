"""Planned actions: made, read, changed and done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flask import Response
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import auth
from api.activity_body import check_outcome, details, given
from api.activity_view import SHOWN, Activity, ActivityChange, Ended, NewActivity, Outcome
from api.body import IdempotencyHeader
from api.leads import existing
from api.paging import Page, page
from api.parameters import Instant, Line, PageQuery, RowId, RowPath
from api.resource import answer, group, refused
from api.versions import unchanged, with_version
from core import db
from core.errors import Conflict, Invalid, NotFound
from core.ids import digest, new_id
from core.settings import settings
from crm import activities, activity_change, next_steps, workspace
from crm.element import Element
from crm.happening import Happening
from models.activity import Activity as ActivityRow
from models.activity import ActivityState
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.user import User
from rules import engine, subject

resource = group("activities", "What somebody is to do by a time")

_TABLES: dict[str, type[Element]] = {
    "lead_id": Lead,
    "deal_id": Deal,
    "contact_id": Contact,
    "company_id": Company,
}


class ActivityQuery(PageQuery):
    """The filters of activities; an activity must fit them all."""

    lead: RowId | None = None
    deal: RowId | None = None
    contact: RowId | None = None
    company: RowId | None = None
    owner: Line | None = Field(None, description="E-mail address of the user")
    state: ActivityState | None = None
    type: Line | None = None
    series: RowId | None = Field(None, description="Those of one series: the id of its first")
    due_before: Instant | None = None
    due_after: Instant | None = None


@resource.get("/activities", responses={200: Page[Activity]})
def list_activities(query: ActivityQuery) -> Response:
    """The activities that fit all filters, the last planned first."""
    chosen = select(ActivityRow).options(*SHOWN)
    for name in ("lead", "deal", "contact", "company", "series"):
        if (row_id := getattr(query, name)) is not None:
            chosen = chosen.where(getattr(ActivityRow, f"{name}_id") == row_id)
    if query.owner is not None:
        owner = select(User.id).where(func.lower(User.email) == query.owner.lower())
        chosen = chosen.where(ActivityRow.owner_id.in_(owner))
    if query.state is not None:
        chosen = chosen.where(ActivityRow.state == query.state)
    if query.type is not None:
        chosen = chosen.where(ActivityRow.type == query.type)
    if query.due_before is not None:
        chosen = chosen.where(ActivityRow.due_at < query.due_before)
    if query.due_after is not None:
        chosen = chosen.where(ActivityRow.due_at >= query.due_after)
    with db.reading() as session:
        rows, following = page(session, chosen, ActivityRow.id, query, of="activities")
    return answer(Page[Activity](items=[Activity.of(row) for row in rows], next_cursor=following))


@resource.post("/activities", responses={201: Activity, **refused(400, 409, 413, 415)})
def create_activity(header: IdempotencyHeader, body: NewActivity) -> Response:
    """Plans an activity; without an owner it is for the owner of the first element that it hangs on."""
    actor = auth.caller().actor
    key = f"told:{digest(actor, header.key)}" if header.key else None
    with db.unit_of_work() as session:
        elements = _elements(session, body)
        values = given(session, body)
        row = _standing(session, key, body) if key else None
        if row is None:
            row = activities.plan(
                session,
                elements[0] if elements else None,
                type=body.type,
                subject=body.subject,
                due_at=body.due_at,
                actor=actor,
                effect_key=key,
                owner_id=values.get("owner_id"),
                also=elements[1:],
                details=details(values),
            )
        made = _told(session, row.id)
        shown = Activity.of(made)
        location = f"{settings().address}/api/v1/activities/{made.id}"
        return with_version(answer(shown, 201, location=location), made)


@resource.get("/activities/<row:id>", responses={200: Activity, **refused(404)})
def get_activity(path: RowPath) -> Response:
    """One activity."""
    with db.reading() as session:
        row = _told(session, path.id)
        return with_version(answer(Activity.of(row)), row)


@resource.patch("/activities/<row:id>", responses={200: Activity, **refused(400, 404, 409, 412, 413, 415)})
def change_activity(path: RowPath, body: ActivityChange) -> Response:
    """Sets what is given on a planned activity, and nothing else; who was invited is told."""
    with db.unit_of_work() as session:
        row = _held(session, path.id)
        unchanged(row)
        activity_change.change(session, row, given(session, body), actor=auth.caller().actor)
        row = _told(session, row.id)
        return with_version(answer(Activity.of(row)), row)


@resource.post(
    "/activities/<row:id>/complete", responses={200: Ended, **refused(400, 404, 409, 412, 413, 415)}
)
def complete_activity(path: RowPath, body: Outcome) -> Response:
    """Marks a planned activity as done, and plans the next step where one is given."""
    return _end(path.id, activities.complete, body)


@resource.post("/activities/<row:id>/cancel", responses={200: Ended, **refused(400, 404, 409, 412, 413, 415)})
def cancel_activity(path: RowPath, body: Outcome) -> Response:
    """Marks a planned activity as not to be done any more."""
    return _end(path.id, activities.cancel, body)


def _end(activity_id: int, end: Callable[..., list[Happening]], body: Outcome) -> Response:
    actor = auth.caller().actor
    with db.unit_of_work() as session:
        row = _held(session, activity_id)
        unchanged(row)
        if row.state is not ActivityState.PLANNED:
            raise Conflict(f"the activity is {row.state.value}")
        check_outcome(session, row.type, body.outcome)
        wanted = given(session, body.next) if body.next is not None else None
        happened = end(
            session,
            row,
            actor=actor,
            outcome=body.outcome,
            result=body.result,
            whole_series=body.whole_series,
        )
        if body.next is not None and wanted is not None:
            next_steps.plan(
                session,
                row,
                type=body.next.type,
                subject=body.next.subject,
                due_at=body.next.due_at,
                owner_id=wanted.get("owner_id"),
                details=details(wanted),
                actor=actor,
            )
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        session.flush()
        following = next_steps.first(session, row)
        made = Activity.of(_told(session, row.id)).model_dump()
        ended = Ended(
            **made,
            next_step_wanted=next_steps.wanted(session, row),
            next_id=following.id if following else None,
        )
        return with_version(answer(ended), row)


def _told(session: Session, activity_id: int) -> ActivityRow:
    session.flush()
    row = session.get(ActivityRow, activity_id, options=[*SHOWN], populate_existing=True)
    if row is None:
        raise NotFound("there is no such activity")
    return row


def _held(session: Session, activity_id: int) -> ActivityRow:
    """The row, and before it what it is about, as everywhere: whoever came before us has ended it by then."""
    row = session.get(ActivityRow, activity_id)
    if row is None:
        raise NotFound("there is no such activity")
    subject.hold_rows(session, row.lead_id, row.deal_id, row.contact_id)
    session.refresh(row, with_for_update={"of": ActivityRow})
    return row


def _elements(session: Session, body: NewActivity) -> list[Element]:
    found: list[Element] = []
    wrong: dict[str, str] = {}
    for name, table in _TABLES.items():
        row_id = getattr(body, name)
        if row_id is None:
            continue
        # A lead is held: a counter or a rule that looks for its next step waits for us.
        lock: Any = {"of": Lead} if table is Lead else None
        row = session.get(table, row_id, with_for_update=lock)
        if row is None:
            wrong[f"/{name}"] = "is not there"
        elif getattr(row, "merged_into_id", None) is not None:
            raise Conflict(f"{table.__tablename__} {row_id} is part of another one now")
        else:
            found.append(cast(Element, row))
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    return found


def _standing(session: Session, key: str, body: NewActivity) -> ActivityRow | None:
    row = session.scalars(select(ActivityRow).where(ActivityRow.effect_key == key)).one_or_none()
    if row is not None and (row.type, row.subject, row.lead_id) != (body.type, body.subject, body.lead_id):
        raise Invalid("some values are not acceptable", {"Idempotency-Key": "was used with another body"})
    return row


@resource.get("/leads/<row:id>/activities", responses={200: Page[Activity], **refused(404)})
def get_lead_activities(path: RowPath, query: PageQuery) -> Response:
    """What is to be done about the lead, and what was; the last planned first."""
    with db.reading() as session:
        lead = existing(session, path.id)
        chosen = select(ActivityRow).where(ActivityRow.lead_id == lead.id).options(*SHOWN)
        rows, following = page(session, chosen, ActivityRow.id, query, of=f"activities {path.id}")
    return answer(Page[Activity](items=[Activity.of(row) for row in rows], next_cursor=following))
