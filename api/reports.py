"""Reports: as tables of JSON, or as files."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from flask import Response
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from sqlalchemy.orm import Session

from api.first_answers import resource
from api.parameters import Email, Line, Query
from api.resource import answer, refused
from core import db
from core.errors import Invalid
from crm.reports import output, registry
from crm.reports.asked import asked
from crm.reports.table import Kind, Table

Format = Literal["json", "csv", "xlsx", "pdf"]


def _day(value: Any) -> date:
    if isinstance(value, date):
        return value
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(value)):
        raise ValueError("is no day, such as 2026-01-31")
    return date.fromisoformat(str(value))


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class ReportColumn(BaseModel):
    """One column of a report."""

    key: str
    name: str
    kind: Kind = Field(description="money is in the report's currency, percent of a hundred")


class Report(BaseModel):
    """A report."""

    kind: str
    title: str
    since: date | None = Field(description="First day, in the workspace's zone; null: it says how it is now")
    until: date | None = Field(description="Last day, with it")
    currency: str
    columns: list[ReportColumn]
    rows: list[list[str | int | Decimal | None]]
    notes: list[str]

    @classmethod
    def of(cls, table: Table) -> Self:
        """A report as it is told."""
        return cls(
            kind=table.kind,
            title=table.title,
            since=table.since,
            until=table.until,
            currency=table.currency,
            columns=[ReportColumn(key=c.key, name=c.name, kind=c.kind) for c in table.columns],
            rows=[list(row) for row in table.rows],
            notes=list(table.notes),
        )


class ReportKind(BaseModel):
    """A report that there is."""

    kind: str
    about: str
    by: list[str] = Field(description="By what it can be set out, the usual first")


class ReportKinds(BaseModel):
    """The reports that there are."""

    items: list[ReportKind]


class ReportPath(BaseModel):
    """Which report."""

    kind: str = Field(max_length=100)


class ReportQuery(Query):
    """Of which days, by what, of whose."""

    since: Day | None = Field(None, description="First day; the last thirty where none is given")
    until: Day | None = Field(None, description="Last day, with it; today if left out")
    by: Line | None = Field(None, description="By what it is set out: see GET /reports")
    owner: Email | None = None
    team: Line | None = Field(None, description="The team's key: what its members have")
    source: Line | None = Field(None, description="The source's key")
    channel: Line | None = None
    pipeline: Line | None = Field(None, description="The pipeline's key; the first where it matters")
    format: Format = "json"


@resource.get("/reports", responses={200: ReportKinds})
def list_reports() -> Response:
    """The reports that there are."""
    found = [ReportKind(kind=r.kind, about=r.about, by=list(r.by)) for r in registry.REPORTS]
    return answer(ReportKinds(items=found))


@resource.get("/reports/<kind>", responses={200: Report, **refused(404)})
def get_report(path: ReportPath, query: ReportQuery) -> Response:
    """One report, counted now; with `format` as a file."""
    with db.reading() as session:
        registry.find(path.kind)
        table = _made(session, path.kind, query)
    return told(table, query.format)


def told(table: Table, form: str) -> Response:
    """The report as JSON, or as a file to keep."""
    if form == "json":
        return answer(Report.of(table))
    made = Response(output.write(table, form), content_type=output.TYPES[form])
    made.headers["Content-Disposition"] = f'attachment; filename="{output.file_name(table, form)}"'
    return made


def _made(session: Session, kind: str, query: ReportQuery) -> Table:
    try:
        what = asked(
            session,
            since=query.since,
            until=query.until,
            owner=query.owner,
            team=query.team,
            source=query.source,
            channel=query.channel,
            pipeline=query.pipeline,
        )
        return registry.make(session, kind, what, by=query.by)
    except Invalid as error:
        # A parameter is named as it is written in the address.
        raise Invalid(str(error), {name.lstrip("/"): words for name, words in error.fields.items()}) from None
