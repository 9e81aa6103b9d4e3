"""Companies: whom contacts work for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from api import auth, single
from api.body import Line as BodyLine
from api.elements import ElementQuery, SourcedBody, existing, given, mentions, narrowed, not_null
from api.paging import Page, page
from api.parameters import Line, RowPath, e164, email_of
from api.resource import answer, group, refused
from api.users import Owner
from api.versions import unchanged, with_version
from core import db
from core.errors import Invalid
from core.settings import settings
from crm import changes, companies
from models.company import Company as CompanyRow

resource = group("companies", "Whom contacts work for")

_SHOWN = (joinedload(CompanyRow.owner), joinedload(CompanyRow.source))


class CompanyQuery(ElementQuery):
    """The filters of companies; a company must fit them all."""

    domain: Line | None = None
    name: Line | None = Field(None, description="The whole name, in any case")


class Company(BaseModel):
    """A client's company."""

    id: int
    name: str
    domain: str | None
    email: str | None
    phone: str | None
    street: str | None
    city: str | None
    region: str | None
    postal_code: str | None
    country: str | None
    owner: Owner | None
    source: str | None = Field(description="The source's key")
    tags: list[str]
    fields: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    merged_into_id: int | None = Field(description="The company that this one is part of now")

    @classmethod
    def of(cls, row: CompanyRow) -> Self:
        """A company as it is told."""
        plain = {name: getattr(row, name) for name in cls.model_fields if name not in ("owner", "source")}
        return cls(owner=Owner.of(row.owner), source=row.source.key if row.source else None, **plain)


class CompanyChange(SourcedBody):
    """What is to be set on a company."""

    name: BodyLine | None = None
    domain: BodyLine | None = Field(None, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")
    email: BodyLine | None = None
    phone: BodyLine | None = Field(None, description="In E.164 or as dialled in the workspace's country")
    street: BodyLine | None = None
    city: BodyLine | None = None
    region: BodyLine | None = None
    postal_code: BodyLine | None = Field(None, max_length=100)
    country: BodyLine | None = Field(None, pattern="^[A-Z]{2}$", description="ISO 3166 alpha-2")


@resource.get("/companies", responses={200: Page[Company]})
def list_companies(query: CompanyQuery) -> Response:
    """The companies that fit all filters, newest first."""
    chosen = select(CompanyRow).where(CompanyRow.merged_into_id.is_(None)).options(*_SHOWN)
    if query.domain is not None:
        chosen = chosen.where(CompanyRow.domain == query.domain.lower())
    if query.name is not None:
        chosen = chosen.where(CompanyRow.name.icontains(query.name, autoescape=True))
    if query.q is not None:
        chosen = chosen.where(mentions((CompanyRow.name, CompanyRow.domain, CompanyRow.city), query.q))
    with db.reading() as session:
        chosen = narrowed(session, chosen, CompanyRow, query)
        rows, following = page(session, chosen, CompanyRow.id, query, of="companies")
    return answer(Page[Company](items=[Company.of(row) for row in rows], next_cursor=following))


@resource.get("/companies/<row:id>", responses={200: Company, **refused(404)})
def get_company(path: RowPath) -> Response:
    """One company; of one that became part of another, the other."""
    return single.told(CompanyRow, path.id, Company.of)


@resource.post("/companies", responses={201: Company, **refused(400, 413, 415)})
def create_company(body: CompanyChange) -> Response:
    """Makes a company."""
    with db.unit_of_work() as session:
        values = _values(session, body, complete=True)
        name = values.pop("name", None)
        if not name:
            raise Invalid("some values are not acceptable", {"/name": "is required"})
        row = companies.create(
            session,
            name=name,
            actor=auth.caller().actor,
            **{k: v for k, v in values.items() if v is not None},
        )
        made = Company.of(row)
    return answer(made, 201, location=f"{settings().address}/api/v1/companies/{made.id}")


@resource.patch("/companies/<row:id>", responses={200: Company, **refused(400, 404, 412, 413, 415)})
def change_company(path: RowPath, body: CompanyChange) -> Response:
    """Sets what is given, and nothing else."""
    with db.unit_of_work() as session:
        row = existing(session, CompanyRow, path.id, lock=True)
        unchanged(row)
        values = _values(session, body)
        not_null(values, "name", "tags")
        changes.change(session, row, values, actor=auth.caller().actor)
        session.refresh(row)
        return with_version(answer(Company.of(row)), row)


@resource.delete("/companies/<row:id>", responses={204: None, **refused(404, 409, 412)})
def delete_company(path: RowPath) -> Response:
    """Deletes a company that nothing hangs on: no contact, lead, deal, call or file."""
    return single.deleted(CompanyRow, path.id)


def _values(session: Session, body: CompanyChange, *, complete: bool = False) -> dict[str, Any]:
    values = given(session, body, "company", complete=complete)
    if "name" in values and values["name"] == "":
        raise Invalid("some values are not acceptable", {"/name": "is empty"})
    if values.get("domain"):
        values["domain"] = values["domain"].lower()
    if values.get("email"):
        (values["email"],) = email_of([values["email"]], field="/email")
    if values.get("phone"):
        values["phone"] = e164(session, values["phone"], field="/phone")
    return values
