"""Exports: everything of one kind as a table or JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from flask import Response
from pydantic import BaseModel, Field

from api.parameters import Query
from api.resource import group, refused
from core import db
from crm import rights
from intake import export_answer
from rules import extract

resource = group("exports", "Everything of one kind, to take away")


class Exported(StrEnum):
    """What can be exported."""

    LEADS = "leads"
    CONTACTS = "contacts"
    COMPANIES = "companies"
    DEALS = "deals"
    ACTIVITIES = "activities"
    PRODUCTS = "products"
    CALLS = "calls"
    EMAILS = "emails"


class ExportPath(BaseModel):
    """What is exported."""

    kind: Exported


class ExportQuery(Query):
    """In which form, and of what."""

    format: Literal["csv", "xlsx", "json"] = "csv"
    segment: str | None = Field(None, max_length=100, description="Key of a segment: its members only")


@resource.get("/exports/<kind>", responses={**refused(404)})
def export(path: ExportPath, query: ExportQuery) -> Response:
    """All that is in sight, sent while it is made. In tables nothing is taken for a formula."""
    with db.reading() as session:
        names = extract.opened(session, path.kind, query.segment)
    rows = extract.rows(db.reading, path.kind, names, segment=query.segment, sight=rights.present())
    return export_answer.answered(path.kind, query.format, names, rows)
