"""Calendars at secret addresses: opened and revoked here, read by any calendar program."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from flask import Blueprint, Response, request
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from api import auth
from api.body import Line
from api.elements import Body, user
from api.paging import Page, page
from api.parameters import PageQuery, RowPath
from api.resource import answer, gone, group, refused
from core import db
from core.errors import NotFound
from core.ids import digest
from crm import calendar_feeds
from models.activity import CalendarFeed as FeedRow
from models.user import Role

resource = group("calendar feeds", "Users' activities as calendars at secret addresses")
public = Blueprint("calendars", __name__)


class CalendarFeed(BaseModel):
    """A calendar that can be read without signing in, by whoever knows its address."""

    id: int
    user: str = Field(description="E-mail address of the user")
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: FeedRow) -> Self:
        """A feed as it is told."""
        return cls(id=row.id, user=row.user.email, created_at=row.created_at, revoked_at=row.revoked_at)


class OpenedFeed(CalendarFeed):
    """A new feed, with its address, which is told this once."""

    address: str


class NewFeed(Body):
    """Whose activities."""

    user: Line = Field(description="E-mail address of the user")


@resource.get("/calendar-feeds", responses={200: Page[CalendarFeed]})
@auth.require(Role.ADMIN, Role.MANAGER)
def list_calendar_feeds(query: PageQuery) -> Response:
    """The feeds, revoked ones too; never their addresses."""
    with db.reading() as session:
        chosen = select(FeedRow).options(joinedload(FeedRow.user))
        rows, following = page(session, chosen, FeedRow.id, query, of="calendar feeds")
    return answer(Page[CalendarFeed](items=[CalendarFeed.of(r) for r in rows], next_cursor=following))


@resource.post("/calendar-feeds", responses={201: OpenedFeed, **refused(400, 413, 415)})
@auth.require(Role.ADMIN, Role.MANAGER)
def open_calendar_feed(body: NewFeed) -> Response:
    """Opens a feed of a user's activities, and tells its address."""
    with db.unit_of_work() as session:
        whose = user(session, body.user, field="/user")
        if whose is None:
            raise NotFound("there is no such user")
        row, address = calendar_feeds.open_feed(session, whose)
        made = OpenedFeed(**CalendarFeed.of(row).model_dump(), address=address)
    return answer(made, 201)


@resource.delete("/calendar-feeds/<row:id>", responses={204: None, **refused(404)})
@auth.require(Role.ADMIN, Role.MANAGER)
def revoke_calendar_feed(path: RowPath) -> Response:
    """From now on its address answers nothing."""
    with db.unit_of_work() as session:
        row = session.get(FeedRow, path.id, with_for_update=True)
        if row is None:
            raise NotFound("there is no such feed")
        calendar_feeds.revoke(session, row)
    return gone()


@public.get("/calendar/<token>.ics")
def read_calendar(token: str) -> Response:
    """The calendar at a secret address (text/calendar); 404 for one that was never, or is no more."""
    with db.reading() as session:
        text = calendar_feeds.read(session, token[:200])
    if text is None:
        return Response("There is no such calendar.\n", 404, mimetype="text/plain")
    made = Response(text, mimetype="text/calendar")
    made.headers["Content-Disposition"] = 'inline; filename="portaria.ics"'
    made.headers["Cache-Control"] = "private, max-age=60"
    made.headers["X-Robots-Tag"] = "noindex"
    made.set_etag(digest(text)[:32])
    made.make_conditional(request)
    return made
