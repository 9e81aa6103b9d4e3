"""Timelines, activities and comments of contacts, companies and deals."""

from __future__ import annotations

from typing import TypeVar

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import Field
from sqlalchemy import select

from api import auth
from api.activity_view import SHOWN, Activity
from api.body import Text
from api.elements import Body, existing
from api.paging import Page, page
from api.parameters import PageQuery, RowPath
from api.resource import answer, group, refused
from api.timeline import TimelineEntry, TimelineQuery, leaf
from core import db
from core.errors import Invalid, NotFound
from crm import comments, timeline
from models.activity import Activity as ActivityRow
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.timeline import TimelineEntry as EntryRow

T = TypeVar("T", Contact, Company, Deal)

resource = group("element timelines", "What happened to contacts, companies and deals, and what is next")


class Comment(Body):
    """A remark."""

    text: Text = Field(min_length=1)


class Pin(Body):
    """Whether an entry stands at the top."""

    pinned: bool = True


def _routes(on: APIBlueprint, plural: str, table: type[Contact | Company | Deal]) -> None:
    one = table.__tablename__

    @on.get(
        f"/{plural}/<row:id>/timeline",
        operation_id=f"get_{one}_timeline",
        endpoint=f"get_{one}_timeline",
        responses={200: Page[TimelineEntry], **refused(404)},
    )
    def get_timeline(path: RowPath, query: TimelineQuery) -> Response:
        """What happened to it, newest first; also what happened on its leads and deals."""
        with db.reading() as session:
            return answer(leaf(session, existing(session, table, path.id), query))

    @on.get(
        f"/{plural}/<row:id>/activities",
        operation_id=f"get_{one}_activities",
        endpoint=f"get_{one}_activities",
        responses={200: Page[Activity], **refused(404)},
    )
    def get_activities(path: RowPath, query: PageQuery) -> Response:
        """What is to be done about it, and what was; the last planned first."""
        with db.reading() as session:
            row = existing(session, table, path.id)
            column = getattr(ActivityRow, f"{one}_id")
            chosen = select(ActivityRow).where(column == row.id).options(*SHOWN)
            rows, following = page(session, chosen, ActivityRow.id, query, of=f"{one} activities {path.id}")
        return answer(Page[Activity](items=[Activity.of(r) for r in rows], next_cursor=following))

    @on.post(
        f"/{plural}/<row:id>/comments",
        operation_id=f"add_{one}_comment",
        endpoint=f"add_{one}_comment",
        responses={201: TimelineEntry, **refused(400, 404, 413, 415)},
    )
    def add_comment(path: RowPath, body: Comment) -> Response:
        """Remarks something on it; the timeline has it at once."""
        if not body.text:
            raise Invalid("some values are not acceptable", {"/text": "is empty"})
        with db.unit_of_work() as session:
            row = existing(session, table, path.id, lock=True)
            entry = comments.add(session, row, body.text, actor=auth.caller().actor)
        return answer(TimelineEntry.of(entry), 201)


_routes(resource, "contacts", Contact)
_routes(resource, "companies", Company)
_routes(resource, "deals", Deal)


@resource.post("/timeline/<row:id>/pin", responses={200: TimelineEntry, **refused(400, 404, 413, 415)})
def pin_entry(path: RowPath, body: Pin) -> Response:
    """Keeps an entry at the top of its timelines, or not any more."""
    with db.unit_of_work() as session:
        entry = session.get(EntryRow, path.id, with_for_update=True)
        if entry is None:
            raise NotFound("there is no such entry")
        timeline.pin(session, entry, pinned=body.pinned)
    return answer(TimelineEntry.of(entry))
