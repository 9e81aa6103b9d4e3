"""Deals that come again: a template is made from a deal, and makes the next one each time its rule comes.

The template's row is held by whoever makes a deal of it or changes it, and its next time moves in the same
transaction: of each time there is one deal, however many look.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from core.savepoint import savepoint
from crm import deal_lines, deals, merging, pipelines, recurrence, rule_words, timeline, workspace
from crm.workspace import known_zone
from models.company import Company
from models.contact import Contact
from models.deal import Deal, DealLine
from models.deal_template import DealTemplate
from models.product import Product
from models.user import User

E = TypeVar("E", Contact, Company)

_TEXTS = ("name", "unit")
_NUMBERS = ("quantity", "price", "discount", "tax_rate")
_FLAGS = ("discount_is_amount", "tax_included")
_OVER = "the rule has come to its end"


def create(
    session: Session,
    deal: Deal,
    *,
    rule: str,
    first_at: datetime,
    actor: str,
    zone: str | None = None,
    stage: str | None = None,
    name: str | None = None,
) -> DealTemplate:
    """Makes a template of a deal that the caller holds; its first deal is made at `first_at`.

    Deals begin in `stage`, or in the first of the deal's pipeline. Raises Invalid with pointers, and
    Conflict where the deal has a template already.
    """
    if deal.template_id is not None:
        raise Conflict(f"the deal comes again already, by deal template {deal.template_id}")
    chosen = pipelines.stage(deal.pipeline, stage)
    now = clock.now()
    made = DealTemplate(
        name=name or deal.title,
        title=deal.title,
        stage_id=chosen.id,
        stage=chosen,
        amount=deal.amount,
        currency=deal.currency,
        lines=[_kept(line) for line in deal.lines],
        owner_id=deal.owner_id,
        owner=deal.owner,
        contact_id=deal.contact_id,
        company_id=deal.company_id,
        contacts=[{"contact_id": part.contact_id, "role": part.role} for part in deal.contacts],
        source_id=deal.source_id,
        source=deal.source,
        tags=list(deal.tags),
        fields=dict(deal.fields),
        paused=False,
        made=0,
        created_by=actor,
        created_at=now,
    )
    _begin(made, rule, zone or workspace.load(session).timezone, first_at)
    session.add(made)
    session.flush()
    deal.template_id, deal.template, deal.updated_at = made.id, made, now
    _tell(session, deal, made, f"Comes again: {rule_words.words(made.recurrence)}", actor)
    session.flush()
    return made


def change(
    session: Session,
    template: DealTemplate,
    *,
    rule: str | None = None,
    zone: str | None = None,
    next_at: datetime | None = None,
    paused: bool | None = None,
    name: str | None = None,
) -> None:
    """Changes when it comes; the caller holds it.

    With another rule, zone or next time the series begins anew with that time: one that has ended goes on
    so, and what was left of a COUNT stays. Times that pass while it is paused are left out. Raises Invalid.
    """
    template.name = name or template.name
    if paused is not None:
        template.paused = paused
    if rule is not None or zone is not None or next_at is not None:
        at = next_at or template.next_at
        if at is None:
            raise Invalid("some values are not acceptable", {"/next_at": "is required: it has ended"})
        _begin(template, rule or _left(template), zone or template.zone, at, later=next_at is not None)
    if not template.paused and paused is False and template.next_at is not None:
        now = clock.now()
        if template.next_at <= now:
            _go_on(template, after=now)
    template.updated_at = clock.now()
    session.flush()


def delete(session: Session, template: DealTemplate, *, actor: str) -> None:
    """Deletes a template that the caller holds; the deals it has made stay."""
    of_it = select(Deal).where(Deal.template_id == template.id).order_by(Deal.id.desc()).limit(1)
    if (last := session.scalars(of_it).first()) is not None:
        _tell(session, last, template, "Does not come again", actor)
    session.flush()
    session.execute(update(Deal).where(Deal.template_id == template.id).values(template_id=None))
    session.delete(template)
    session.flush()


def make(session: Session, template: DealTemplate) -> Deal | None:
    """Makes the deal whose time has come, and moves on to the next; the caller holds the template.

    None where none can be made, as in a pipeline that is not used any more: then it has ended, and says why.
    """
    at = template.next_at
    if at is None:
        return None
    try:
        with savepoint(session):
            made = _copy(session, template)
    except Invalid as error:
        named = "; ".join(f"{field.removeprefix('/')} {words}" for field, words in error.fields.items())
        _end(template, named or str(error))
        session.flush()
        return None
    there = at.astimezone(ZoneInfo(template.zone))
    told = f"Made by the template “{template.name}” for {there.day} {there:%B %Y}"
    _tell(session, made, template, told, timeline.SERVICE, at=at.isoformat())
    template.made += 1
    template.updated_at = clock.now()
    _go_on(template, after=at)
    session.flush()
    return made


def last_deal_id(session: Session, template: DealTemplate) -> int | None:
    """The newest deal that comes again by it."""
    chosen = select(Deal.id).where(Deal.template_id == template.id)
    return session.scalar(chosen.order_by(Deal.id.desc()).limit(1))


def _begin(template: DealTemplate, rule: str, zone: str, at: datetime, *, later: bool = True) -> None:
    wrong = {}
    try:
        recurrence.read(rule)
    except Invalid as error:
        wrong["/rule"] = str(error)
    try:
        known_zone(zone)
    except ValueError as error:
        wrong["/zone"] = str(error)
    pointer = "/first_at" if template.id is None else "/next_at"
    now = clock.now()
    if later and not now < at <= now + recurrence.HORIZON:
        wrong[pointer] = "is in the past" if at <= now else "is more than 20 years ahead"
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    at = at.replace(microsecond=0)
    before = at - timedelta(days=1)
    if recurrence.following(rule, start=at, zone=ZoneInfo(zone), after=before) is None:
        raise Invalid("some values are not acceptable", {"/rule": "is over before it begins"})
    template.recurrence = rule.strip().upper().removeprefix("RRULE:")
    template.zone, template.starts_at, template.next_at = zone, at, at
    template.ended_at, template.ended_why, template.updated_at = None, "", now


def _left(template: DealTemplate) -> str:
    if template.next_at is None:
        return template.recurrence
    zone = ZoneInfo(template.zone)
    return recurrence.from_here(
        template.recurrence, start=template.starts_at, zone=zone, slot=template.next_at
    )


def _go_on(template: DealTemplate, *, after: datetime) -> None:
    template.next_at = recurrence.following(
        template.recurrence, start=template.starts_at, zone=ZoneInfo(template.zone), after=after
    )
    if template.next_at is None:
        _end(template, _OVER)


def _end(template: DealTemplate, why: str) -> None:
    now = clock.now()
    template.next_at, template.ended_at, template.ended_why = None, now, why[:500]
    template.updated_at = now


def _copy(session: Session, template: DealTemplate) -> Deal:
    line = template.stage.pipeline
    if not line.active:
        raise Invalid(f"the pipeline '{line.key}' is not used any more")
    owner = session.get(User, template.owner_id) if template.owner_id is not None else None
    contact = _standing(session, Contact, template.contact_id)
    company = _standing(session, Company, template.company_id)
    made = deals.create(
        session,
        title=template.title,
        actor=timeline.SERVICE,
        pipeline=line,
        stage=template.stage.key,
        amount=template.amount,
        currency=template.currency,
        contact=contact,
        company_id=company.id if company else None,
        # Of somebody who has left it is nobody's: rules and whoever looks for such deals give it away.
        owner_id=owner.id if owner is not None and owner.active else None,
        source_id=template.source_id,
        tags=template.tags,
        custom=template.fields,
    )
    made.template_id, made.template = template.id, template
    parts = [(_standing(session, Contact, part["contact_id"]), part["role"]) for part in template.contacts]
    if found := [(contact.id, role) for contact, role in parts if contact is not None]:
        deals.set_contacts(session, made, found, actor=timeline.SERVICE)
    if template.lines:
        lines = [_line(session, kept) for kept in template.lines]
        deal_lines.set_lines(session, made, lines, actor=timeline.SERVICE)
    return made


def _standing(session: Session, table: type[E], row_id: int | None) -> E | None:
    """The row, or the one that it is part of now."""
    row = session.get(table, row_id) if row_id is not None else None
    return merging.standing(session, row) if row is not None else None


def _kept(line: DealLine) -> dict[str, Any]:
    return {
        "product_id": line.product_id,
        **{name: getattr(line, name) for name in (*_TEXTS, *_FLAGS)},
        **{name: f"{getattr(line, name).normalize():f}" for name in _NUMBERS},
    }


def _line(session: Session, kept: dict[str, Any]) -> DealLine:
    product = session.get(Product, kept["product_id"]) if kept["product_id"] is not None else None
    return DealLine(
        product_id=product.id if product else None,
        **{name: kept[name] for name in (*_TEXTS, *_FLAGS)},
        **{name: Decimal(kept[name]) for name in _NUMBERS},
    )


def _tell(
    session: Session, deal: Deal, template: DealTemplate, summary: str, actor: str, **more: str
) -> None:
    data = {"template": template.id, "rule": template.recurrence, **more}
    timeline.record(session, deal, kind="comes_again", summary=summary, actor=actor, data=data)
