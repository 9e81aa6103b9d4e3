"""What people are told in the console, and the storms that hold rules back."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import auth
from api.auth import require
from api.body import Line as BodyLine
from api.paging import Page, page
from api.parameters import Email, PageQuery, RowId
from api.resource import answer, group, refused
from core import db
from core.errors import Invalid
from crm import notifications
from models.notification import Notification as NotificationRow
from models.user import Role, User
from rules import storms

resource = group("notifications", "What people are told in the console, and rules that are held back")


class NotificationQuery(PageQuery):
    """Whose, and which."""

    user: Email = Field(description="The user's e-mail address")
    unread: bool | None = Field(None, description="Only those that were not read, or only those that were")


class Notification(BaseModel):
    """One line for one user."""

    id: int
    at: datetime
    text: str
    actor: str = Field(description="Who tells it: rule:<name>, or service")
    lead_id: int | None
    deal_id: int | None
    contact_id: int | None
    read_at: datetime | None

    @classmethod
    def of(cls, row: NotificationRow) -> Self:
        """A notification as it is told."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class Reading(BaseModel):
    """What a user has read."""

    model_config = ConfigDict(extra="forbid")

    user: BodyLine = Field(min_length=1, description="The user's e-mail address")
    ids: list[RowId] | None = Field(None, max_length=1000, description="Which; all where it is left out")


class Count(BaseModel):
    """How many."""

    count: int


class Storm(BaseModel):
    """A rule that is held back on an element, or on what is about nobody, because it ran too often there."""

    rule: str
    runs: int
    lead_id: int | None
    deal_id: int | None
    contact_id: int | None
    began_at: datetime


class Storms(BaseModel):
    """What is held back now, the newest first."""

    items: list[Storm]


class Resumed(BaseModel):
    """Which rule may go on."""

    model_config = ConfigDict(extra="forbid")

    rule: BodyLine = Field(min_length=1, description="Its name")


@resource.get("/notifications", responses={200: Page[Notification], **refused(404)})
def list_notifications(query: NotificationQuery) -> Response:
    """What a user was told in the console, the newest first; of the last ninety days."""
    with db.reading() as session:
        chosen = notifications.of_user(_user(session, query.user).id)
        if query.unread is not None:
            read_at = NotificationRow.read_at
            chosen = chosen.where(read_at.is_(None) if query.unread else read_at.is_not(None))
        rows, following = page(session, chosen, NotificationRow.id, query, of=f"notifications {query.user}")
        items = [Notification.of(row) for row in rows]
    return answer(Page[Notification](items=items, next_cursor=following))


@resource.post("/notifications/read", responses={200: Count, **refused(400, 413, 415)})
def read_notifications(body: Reading) -> Response:
    """Marks a user's notifications as read; answers how many were not."""
    with db.unit_of_work() as session:
        count = notifications.mark_read(session, _user(session, body.user).id, body.ids)
    return answer(Count(count=count))


@resource.get("/storms", responses={200: Storms})
def list_storms() -> Response:
    """Rules that are held back now, and where."""
    with db.reading() as session:
        items = [
            Storm(**{name: getattr(held.row, name) for name in Storm.model_fields})
            for held in storms.open_storms(session)
        ]
    return answer(Storms(items=items))


@resource.post("/storms/resume", responses={200: Count, **refused(400, 413, 415)})
@require(Role.ADMIN, Role.MANAGER)
def resume_rule(body: Resumed) -> Response:
    """Lets a rule go on wherever it is held back; answers on how many elements it was."""
    with db.unit_of_work() as session:
        count = storms.resume(session, body.rule, by=auth.caller().actor)
    return answer(Count(count=count))


def _user(session: Session, email: str) -> User:
    found = session.scalars(select(User).where(func.lower(User.email) == email.lower())).one_or_none()
    if found is None:
        raise Invalid("some values are not acceptable", {"user": "is no user"})
    return found
