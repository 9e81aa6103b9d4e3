"""Deals that come again: templates, made from a deal, that make the next one by a rule."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from api import auth
from api.body import Line, Name
from api.deal_view import Part, shown
from api.elements import Body, existing, not_null
from api.paging import Page, page
from api.parameters import Instant, PageQuery, RowId, RowPath
from api.parameters import Line as Asked
from api.resource import answer, gone, group, refused
from api.users import Owner
from api.versions import unchanged, with_version
from core import db
from core.errors import Invalid, NotFound
from core.settings import settings
from crm import deal_templates, rule_words
from models.deal import Deal
from models.deal_template import DealTemplate as Row
from models.pipeline import Stage
from models.user import User

resource = group("deal templates", "Deals that come again by a rule")

_RULE = "RRULE (RFC 5545), such as FREQ=MONTHLY;BYMONTHDAY=-1"
_ZONE = "IANA time zone that the rule is counted in"
_SHOWN = (
    joinedload(Row.owner),
    joinedload(Row.source),
    joinedload(Row.stage).joinedload(Stage.pipeline),
)


class TemplateQuery(PageQuery):
    """The filters of templates; a template must fit them all."""

    owner: Asked | None = Field(None, description="E-mail address of the user who gets its deals")
    going: bool | None = Field(None, description="Whether it has a next time")


class TemplateLine(BaseModel):
    """One thing of the deals that are made."""

    product_id: int | None
    name: str
    unit: str
    quantity: Decimal
    price: Decimal
    discount: Decimal
    discount_type: str = Field(description="percent or amount")
    tax_rate: Decimal
    tax_included: bool


class DealTemplate(BaseModel):
    """What the deals that come again are made of, and when they come."""

    id: int
    name: str
    rule: str = Field(description=_RULE)
    words: str = Field(description="The rule in words")
    zone: str = Field(description=_ZONE)
    next_at: datetime | None = Field(description="When the next deal is made; null: it has ended")
    paused: bool
    ended_at: datetime | None
    ended_why: str = Field(description="Its rule is over, or why no deal could be made")
    made: int = Field(description="How many deals it has made")
    last_deal_id: int | None = Field(description="The newest deal that comes again by it")
    title: str
    pipeline: str
    stage: str = Field(description="Key of the stage that its deals begin in")
    amount: Decimal | None
    currency: str
    lines: list[TemplateLine] = Field(description="As they stood on the deal; prices stay what they were")
    owner: Owner | None
    contact_id: int | None
    company_id: int | None
    contacts: list[Part] = Field(description="The further ones")
    source: str | None
    tags: list[str]
    fields: dict[str, Any]
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row, last: int | None) -> Self:
        """A template as it is told, with the newest of its deals."""
        same = (
            *("id", "name", "zone", "next_at", "paused", "ended_at", "ended_why", "made", "title"),
            *("currency", "contact_id", "company_id", "tags", "fields"),
            *("created_by", "created_at", "updated_at"),
        )
        return cls(
            rule=row.recurrence,
            words=rule_words.words(row.recurrence),
            last_deal_id=last,
            pipeline=row.stage.pipeline.key,
            stage=row.stage.key,
            amount=shown(row.amount),
            lines=[
                TemplateLine(discount_type="amount" if line["discount_is_amount"] else "percent", **line)
                for line in row.lines
            ],
            owner=Owner.of(row.owner),
            contacts=[Part(**part) for part in row.contacts],
            source=row.source.key if row.source else None,
            **{name: getattr(row, name) for name in same},
        )


class TemplateBody(Body):
    """From which deal a template is made, and when its deals come."""

    deal_id: RowId
    rule: Line = Field(max_length=500, description=_RULE)
    first_at: Instant = Field(description="When the first deal is made; the rule counts from then")
    zone: Line | None = Field(None, description=f"{_ZONE}; the workspace's if left out")
    stage: Line | None = Field(None, description="The stage's key; the pipeline's first if left out")
    name: Name | None = Field(None, description="The deal's title if left out")


class TemplateChange(Body):
    """What is to be set on a template. With another rule, zone or time the rule counts from then."""

    rule: Line | None = Field(None, max_length=500, description=_RULE)
    zone: Line | None = Field(None, description=_ZONE)
    next_at: Instant | None = Field(None, description="When the next deal is made; one that ended goes on")
    paused: bool | None = Field(None, description="Times that pass while it is paused are left out")
    name: Name | None = None


@resource.get("/deal-templates", responses={200: Page[DealTemplate]})
def list_deal_templates(query: TemplateQuery) -> Response:
    """The templates that fit all filters, newest first."""
    chosen = select(Row).options(*_SHOWN)
    if query.owner is not None:
        owner = select(User.id).where(func.lower(User.email) == query.owner.lower())
        chosen = chosen.where(Row.owner_id.in_(owner))
    if query.going is not None:
        chosen = chosen.where(Row.next_at.is_not(None) if query.going else Row.next_at.is_(None))
    with db.reading() as session:
        rows, following = page(session, chosen, Row.id, query, of="deal templates")
        ids = [row.id for row in rows]
        newest = select(Deal.template_id, func.max(Deal.id)).where(Deal.template_id.in_(ids))
        last = dict(session.execute(newest.group_by(Deal.template_id)).all())
        items = [DealTemplate.of(row, last.get(row.id)) for row in rows]
    return answer(Page[DealTemplate](items=items, next_cursor=following))


@resource.get("/deal-templates/<row:id>", responses={200: DealTemplate, **refused(404)})
def get_deal_template(path: RowPath) -> Response:
    """One template: what its deals are made of, and when the next one comes."""
    with db.reading() as session:
        return _told(session, _existing(session, path.id))


@resource.post("/deal-templates", responses={201: DealTemplate, **refused(400, 409, 413, 415)})
def create_deal_template(body: TemplateBody) -> Response:
    """Makes a template of a deal as it stands; a deal has one at most."""
    with db.unit_of_work() as session:
        try:
            deal = existing(session, Deal, body.deal_id, lock=True)
        except NotFound:
            raise Invalid("some values are not acceptable", {"/deal_id": "is not there"}) from None
        given = body.model_dump(exclude={"deal_id"})
        made = deal_templates.create(session, deal, actor=auth.caller().actor, **given)
        place = f"{settings().address}/api/v1/deal-templates/{made.id}"
        return _told(session, made, 201, place)


@resource.patch("/deal-templates/<row:id>", responses={200: DealTemplate, **refused(400, 404, 412, 413, 415)})
def change_deal_template(path: RowPath, body: TemplateChange) -> Response:
    """Changes when its deals come: sets what is given, and nothing else."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        values = body.model_dump(exclude_unset=True)
        not_null(values, *values)
        deal_templates.change(session, row, **values)
        return _told(session, row)


@resource.delete("/deal-templates/<row:id>", responses={204: None, **refused(404, 412)})
def delete_deal_template(path: RowPath) -> Response:
    """Forgets it: no deal comes by it any more. Those that came stay."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        deal_templates.delete(session, row, actor=auth.caller().actor)
    return gone()


def _existing(session: Session, row_id: int, *, lock: bool = False) -> Row:
    row = session.get(
        Row, row_id, with_for_update={"of": Row} if lock else None, populate_existing=lock, options=_SHOWN
    )
    if row is None:
        raise NotFound("there is no such deal template")
    return row


def _told(session: Session, row: Row, status: int = 200, place: str | None = None) -> Response:
    shown_row = DealTemplate.of(row, deal_templates.last_deal_id(session, row))
    return with_version(answer(shown_row, status, location=place), row)
