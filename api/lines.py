"""Telephone lines: what they can do, and whether we have heard of all their calls."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api import auth
from api.resource import answer, group, refused
from core import db
from intake import calling, reconciliation, subscriptions
from models.call_check import CallCheck as CheckRow
from models.source import Source
from models.user import Role

resource = group("lines", "Telephone lines")


class LinePath(BaseModel):
    """The key in an address."""

    key: str = Field(min_length=1, max_length=63)


class CallCheck(BaseModel):
    """Whether calls were made of which the provider told us nothing, by its own list of calls."""

    trouble: str | None = Field(description="Why the line cannot be checked; null where it can")
    running: bool
    due_at: datetime | None = Field(description="When it is checked next")
    ended_at: datetime | None = Field(description="When the last check came to its end")
    looked: int = Field(description="Calls of the provider's list that the last check looked at")
    found: int = Field(description="Those among them of which we knew nothing, or not the end")
    error: str = Field(description="Why the check that was tried last did not come to its end")

    @classmethod
    def of(cls, row: CheckRow | None, trouble: str | None) -> Self:
        """A check as it is told."""
        return cls(
            trouble=trouble,
            running=row is not None and row.since is not None,
            due_at=row.due_at if row else None,
            ended_at=row.ended_at if row else None,
            looked=row.last_looked if row else 0,
            found=row.last_found if row else 0,
            error=row.error if row else "",
        )


class Subscription(BaseModel):
    """The provider's subscription that tells us of the line's calls; it ends, and is renewed before."""

    trouble: str | None = Field(description="Why we do not look after it; null where we do")
    expires_at: datetime | None = Field(description="When it ends, by the provider's last word")
    renewed_at: datetime | None = Field(description="When it was renewed, or asked for anew")
    due_at: datetime | None = Field(description="When it is looked after next")
    error: str = Field(description="Why that failed the last time")

    @classmethod
    def of(cls, found: subscriptions.Standing | None) -> Self | None:
        """A subscription as it is told."""
        if found is None:
            return None
        return cls(
            trouble=found.trouble,
            expires_at=found.expires_at,
            renewed_at=found.renewed_at,
            due_at=found.due_at,
            error=found.error,
        )


class Line(BaseModel):
    """A line."""

    key: str
    name: str
    provider: str
    places_calls: bool
    places_none_because: str | None
    reconciliation: CallCheck
    subscription: Subscription | None = Field(description="null where the provider tells us for good")

    @classmethod
    def of(cls, session: Session, source: Source) -> Self:
        """A line as it is told."""
        silent = calling.trouble(session, source)
        check = session.get(CheckRow, source.id)
        return cls(
            key=source.key,
            name=source.name,
            provider=str(source.settings.get("provider")),
            places_calls=silent is None,
            places_none_because=silent,
            reconciliation=CallCheck.of(check, reconciliation.trouble(session, source)),
            subscription=Subscription.of(subscriptions.standing(session, source)),
        )


class Lines(BaseModel):
    """All lines in use."""

    items: list[Line]
    next_cursor: str | None = None


@resource.get("/lines", responses={200: Lines})
def list_lines() -> Response:
    """The lines in use, by their keys."""
    with db.reading() as session:
        found = [Line.of(session, source) for source in reconciliation.lines(session)]
    return answer(Lines(items=found))


@resource.get("/lines/<key>", responses={200: Line, **refused(404)})
def get_line(path: LinePath) -> Response:
    """One line."""
    with db.reading() as session:
        found = Line.of(session, reconciliation.line(session, path.key))
    return answer(found)


@resource.post("/lines/<key>/reconcile", responses={202: Line, **refused(404)})
@auth.require(Role.ADMIN, Role.MANAGER)
def reconcile(path: LinePath) -> Response:
    """Looks through the provider's list of calls now, and fetches those of which we never heard."""
    with db.unit_of_work() as session:
        source = reconciliation.line(session, path.key)
        reconciliation.ask(session, source)
        found = Line.of(session, source)
    return answer(found, 202)


@resource.post("/lines/<key>/subscribe", responses={202: Line, **refused(404)})
@auth.require(Role.ADMIN, Role.MANAGER)
def subscribe(path: LinePath) -> Response:
    """Renews the provider's subscription that tells us of the line's calls now, or asks for it anew."""
    with db.unit_of_work() as session:
        source = reconciliation.line(session, path.key)
        subscriptions.ask(session, source)
        found = Line.of(session, source)
    return answer(found, 202)
