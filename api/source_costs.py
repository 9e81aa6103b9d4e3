"""What sources cost, for the report on returns."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from api import auth
from api.body import Line, Name
from api.deal_view import shown
from api.elements import Body
from api.paging import Page, page
from api.parameters import Line as QueryLine
from api.parameters import PageQuery, RowPath
from api.reports import Day
from api.resource import answer, gone, group, refused
from api.versions import unchanged, with_version
from core import clock, db
from core.errors import Invalid, NotFound
from core.settings import settings
from crm import catalogue, money, workspace
from models.report import SourceCost as Row
from models.source import Source
from models.user import Role

resource = group("source costs", "What ways in and campaigns cost")


class SourceCost(BaseModel):
    """What a source, or one of its campaigns, cost over some days."""

    id: int
    source: str
    campaign: str | None
    since: date
    until: date
    amount: Decimal
    currency: str
    note: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """A cost as it is told."""
        names = ("id", "campaign", "since", "until", "currency", "note", "created_at", "updated_at")
        told = {n: getattr(row, n) for n in names}
        return cls(source=row.source.key, amount=shown(row.amount), **told)


class SourceCostBody(Body):
    """What something cost."""

    source: Name = Field(description="The source's key")
    campaign: Line | None = Field(
        None, min_length=1, description="As in utm_campaign; null: the whole source"
    )
    since: Day = Field(description="First day")
    until: Day = Field(description="Last day, with it")
    amount: Decimal = Field(ge=0)
    currency: Line | None = Field(None, pattern="^[A-Z]{3}$", description="The workspace's if left out")
    note: Line = ""


class CostQuery(PageQuery):
    """Of which source."""

    source: QueryLine | None = Field(None, description="The source's key")


@resource.get("/source-costs", responses={200: Page[SourceCost]})
def list_source_costs(query: CostQuery) -> Response:
    """The costs, the last entered first."""
    with db.reading() as session:
        chosen = select(Row).options(joinedload(Row.source))
        if query.source is not None:
            chosen = chosen.where(Row.source_id.in_(select(Source.id).where(Source.key == query.source)))
        rows, following = page(session, chosen, Row.id, query, of="source costs")
    return answer(Page[SourceCost](items=[SourceCost.of(r) for r in rows], next_cursor=following))


@resource.post("/source-costs", responses={201: SourceCost, **refused(400, 413, 415)})
@auth.require(Role.ADMIN, Role.MANAGER)
def create_source_cost(body: SourceCostBody) -> Response:
    """Enters a cost; reports count the share of its days that they are asked for."""
    with db.unit_of_work() as session:
        row = Row(created_at=clock.now(), **_values(session, body))
        session.add(row)
        session.flush()
        made = SourceCost.of(row)
        location = f"{settings().address}/api/v1/source-costs/{made.id}"
        return with_version(answer(made, 201, location=location), row)


@resource.put("/source-costs/<row:id>", responses={200: SourceCost, **refused(400, 404, 412, 413, 415)})
@auth.require(Role.ADMIN, Role.MANAGER)
def set_source_cost(path: RowPath, body: SourceCostBody) -> Response:
    """Makes it what the body says."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id)
        unchanged(row)
        for name, value in _values(session, body).items():
            setattr(row, name, value)
        session.flush()
        return with_version(answer(SourceCost.of(row)), row)


@resource.delete("/source-costs/<row:id>", responses={204: None, **refused(404, 412)})
@auth.require(Role.ADMIN, Role.MANAGER)
def delete_source_cost(path: RowPath) -> Response:
    """Takes a cost away."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id)
        unchanged(row)
        session.delete(row)
    return gone()


def _existing(session: Session, row_id: int) -> Row:
    row = session.get(Row, row_id, with_for_update={"of": Row})
    if row is None:
        raise NotFound("there is no such cost")
    return row


def _values(session: Session, body: SourceCostBody) -> dict[str, Any]:
    here, known = workspace.load(session), catalogue.load(session)
    wrong: dict[str, str] = {}
    source = session.scalars(select(Source).where(Source.key == body.source).order_by(Source.id)).first()
    if source is None:
        wrong["/source"] = "is no source"
    currency = body.currency or here.currency
    if known.currency(currency, here) is None:
        wrong["/currency"] = "is none of the workspace's"
    for name, day in (("/since", body.since), ("/until", body.until)):
        if not 1990 <= day.year <= 2100:
            wrong[name] = "is in no year from 1990 to 2100"
    if body.until < body.since:
        wrong["/until"] = "is before since"
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    values = body.model_dump(exclude={"source", "currency"})
    values["amount"] = money.exact(body.amount, field="/amount")
    return values | {"source": source, "currency": currency, "updated_at": clock.now()}
