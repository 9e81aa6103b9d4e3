"""Reports under a name, with filters and a schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from api import auth
from api.body import Line, Name
from api.elements import Body, user
from api.paging import Page, page
from api.parameters import PageQuery, Query, RowPath
from api.reports import Day, Format, Report, told
from api.resource import answer, gone, group, refused
from api.versions import unchanged, with_version
from core import clock, db
from core.errors import Invalid, NotFound
from core.settings import settings
from crm.reports import saved
from models.report import SavedReport as Row
from models.user import Role

resource = group("saved reports", "Reports under a name, also mailed by a schedule")


class Filters(Body):
    """A report's own parameters; `days` in the place of dates."""

    by: Line | None = None
    since: Day | None = None
    until: Day | None = None
    days: int | None = Field(None, ge=1, le=3660, description="The last so many days, up to yesterday")
    owner: Line | None = None
    team: Line | None = None
    source: Line | None = None
    channel: Line | None = None
    pipeline: Line | None = None


class SavedReport(BaseModel):
    """A report under a name."""

    id: int
    name: str
    kind: str
    filters: dict[str, Any]
    user: str | None = Field(description="With whose rights it is made: e-mail address; null: all")
    schedule: str | None = Field(description="When it is mailed: crontab(5), in the workspace's zone")
    format: str
    recipients: list[str]
    next_at: datetime | None
    sent_at: datetime | None
    error: str = Field(description="Why it could not be made the last time")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """A saved report as it is told."""
        names = [n for n in cls.model_fields if n != "user"]
        return cls(user=row.user.email if row.user else None, **{n: getattr(row, n) for n in names})


class SavedReportBody(Body):
    """What is to be saved."""

    name: Name
    kind: Name
    filters: Filters = Filters()
    user: Line | None = Field(None, description="With whose rights it is made: e-mail address; null: all")
    schedule: Line | None = Field(None, description="Such as 0 8 * * mon; null: it is not mailed")
    format: Literal["csv", "xlsx", "pdf"] = "xlsx"
    recipients: list[Line] = Field(default_factory=list, max_length=50)


class RunQuery(Query):
    """As what."""

    format: Format = "json"


@resource.get("/saved-reports", responses={200: Page[SavedReport]})
def list_saved_reports(query: PageQuery) -> Response:
    """The saved reports, the newest first."""
    with db.reading() as session:
        chosen = select(Row).options(joinedload(Row.user))
        rows, following = page(session, chosen, Row.id, query, of="saved reports")
    return answer(Page[SavedReport](items=[SavedReport.of(r) for r in rows], next_cursor=following))


@resource.post("/saved-reports", responses={201: SavedReport, **refused(400, 413, 415)})
@auth.require(Role.ADMIN, Role.MANAGER)
def create_saved_report(body: SavedReportBody) -> Response:
    """Saves a report; it is made once, so that what is wrong shows now."""
    with db.unit_of_work() as session:
        now = clock.now()
        row = Row(created_at=now, **_values(session, body))
        session.add(row)
        saved.plan(session, row)
        made = SavedReport.of(row)
        return with_version(
            answer(made, 201, location=f"{settings().address}/api/v1/saved-reports/{made.id}"), row
        )


@resource.get("/saved-reports/<row:id>", responses={200: SavedReport, **refused(404)})
def get_saved_report(path: RowPath) -> Response:
    """One saved report, and when it is mailed next."""
    with db.reading() as session:
        row = _existing(session, path.id)
        return with_version(answer(SavedReport.of(row)), row)


@resource.put("/saved-reports/<row:id>", responses={200: SavedReport, **refused(400, 404, 412, 413, 415)})
@auth.require(Role.ADMIN, Role.MANAGER)
def set_saved_report(path: RowPath, body: SavedReportBody) -> Response:
    """Makes it what the body says."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        for name, value in _values(session, body).items():
            setattr(row, name, value)
        saved.plan(session, row)
        return with_version(answer(SavedReport.of(row)), row)


@resource.delete("/saved-reports/<row:id>", responses={204: None, **refused(404, 412)})
@auth.require(Role.ADMIN, Role.MANAGER)
def delete_saved_report(path: RowPath) -> Response:
    """Forgets it, and its schedule."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        session.delete(row)
    return gone()


@resource.get("/saved-reports/<row:id>/run", responses={200: Report, **refused(404)})
def run_saved_report(path: RowPath, query: RunQuery) -> Response:
    """The report as it is now; with `format` as a file."""
    with db.reading() as session:
        row = _existing(session, path.id)
        try:
            table = saved.make(session, row)
        except Invalid as error:
            words = "; ".join(f"{n} {w}" for n, w in error.fields.items()) or str(error)
            raise Invalid(f"its filters mean nothing any more: {words}") from None
    return told(table, query.format)


def _existing(session: Session, row_id: int, *, lock: bool = False) -> Row:
    row = session.get(Row, row_id, with_for_update={"of": Row} if lock else None)
    if row is None:
        raise NotFound("there is no such saved report")
    if lock:
        saved.guard(session, row.user)
    return row


def _values(session: Session, body: SavedReportBody) -> dict[str, Any]:
    values = body.model_dump(exclude={"filters"})
    values["filters"] = body.filters.model_dump(mode="json", exclude_none=True)
    values["user"] = user(session, body.user, field="/user")
    saved.guard(session, values["user"])
    saved.check(session, values)
    return values | {"updated_at": clock.now(), "error": ""}
