"""Deals: made, moved from stage to stage, closed, and what they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from crm import catalogue, changes, deal_lines, fields, money, pipelines, timeline, workspace
from crm.happening import Happening
from models.contact import Contact
from models.deal import Deal, DealContact, StageStay
from models.lead import Lead
from models.pipeline import Stage, StageGroup

_LONGEST_TITLE = 200


def create(
    session: Session,
    *,
    title: str,
    actor: str,
    pipeline: str | None = None,
    stage: str | None = None,
    amount: Decimal | None = None,
    currency: str | None = None,
    contact: Contact | None = None,
    company_id: int | None = None,
    lead: Lead | None = None,
    owner_id: int | None = None,
    source_id: int | None = None,
    probability: int | None = None,
    expected_close: date | None = None,
    tags: Sequence[str] = (),
    custom: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> Deal:
    """Makes a deal in a stage of a pipeline: in the first of the first where nothing is said.

    Raises Invalid for what is not acceptable, with a pointer to each.
    """
    here, settings = workspace.load(session), catalogue.load(session)
    code = currency or here.currency
    unit = settings.currency(code, here)
    if unit is None:
        known = ", ".join({here.currency: 0} | {c.code: 0 for c in settings.currencies})
        raise Invalid("some values are not acceptable", {"/currency": f"is none of the workspace's: {known}"})
    if amount is not None:
        amount = money.rounded(money.exact(amount, field="/amount"), unit.decimals)
    line = pipelines.find(session, pipeline)
    chosen = pipelines.stage(line, stage)
    now = clock.now()
    deal = Deal(
        title=title.strip()[:_LONGEST_TITLE],
        pipeline_id=line.id,
        pipeline=line,
        stage_id=chosen.id,
        stage=chosen,
        state=chosen.group,
        amount=amount,
        currency=code,
        probability=probability,
        expected_close=expected_close,
        owner_id=owner_id,
        contact_id=contact.id if contact else None,
        company_id=company_id if company_id is not None else contact.company_id if contact else None,
        lead_id=lead.id if lead else None,
        lead=lead,
        source_id=source_id,
        tags=list(tags),
        fields=fields.merged({}, custom or {}),
        created_at=now,
        updated_at=now,
        stage_since=now,
        stays=[StageStay(stage_id=chosen.id, entered_at=now, actor=actor)],
    )
    _must_have(deal, chosen)
    if chosen.group is not StageGroup.OPEN:
        _close(session, deal, chosen, reason, "")
    session.add(deal)
    session.flush()
    deal.number = catalogue.number(settings.numbers.deal, deal.id, now.astimezone(here.zone))
    session.flush()
    timeline.record(
        session,
        deal,
        kind="deal_created",
        summary=f"Deal {deal.number} made: {deal.title}",
        actor=actor,
        data={"pipeline": line.key, "stage": chosen.key},
        at=now,
    )
    return deal


def change_stage(
    session: Session,
    deal: Deal,
    to: str | None,
    *,
    actor: str,
    pipeline: str | None = None,
    reason: str | None = None,
    note: str = "",
) -> list[Happening]:
    """Moves the deal to another stage (None: the first): on, back, or to `won` or `lost` with a reason.

    Raises Invalid for a stage or a reason that is none, for a required one, and for fields that must be
    filled there.
    """
    line = deal.pipeline if pipeline is None else pipelines.find(session, pipeline)
    chosen = pipelines.stage(line, to)
    before = deal.stage
    if chosen.id == before.id:
        return []
    _must_have(deal, chosen)
    now = clock.now()
    _close(session, deal, chosen, reason, note)
    deal.pipeline_id, deal.pipeline = line.id, line
    deal.stage_id, deal.stage, deal.state = chosen.id, chosen, chosen.group
    if deal.stays and deal.stays[-1].left_at is None:
        deal.stays[-1].left_at = now
    deal.stays.append(StageStay(stage_id=chosen.id, entered_at=now, actor=actor))
    seconds = round((now - deal.stage_since).total_seconds())
    deal.stage_since = deal.updated_at = now
    session.flush()
    said = f" ({deal.closing_reason})" if deal.closing_reason else ""
    timeline.record(
        session,
        deal,
        kind="stage_changed",
        summary=f"Stage: {before.name} → {chosen.name}{said}",
        actor=actor,
        data={
            "before": before.key,
            "after": chosen.key,
            "seconds": seconds,
            "reason": deal.closing_reason,
            "note": note,
        },
    )
    data = {"before": before.key, "reason": deal.closing_reason}
    happened = told(deal, "deal.stage_changed", data)
    if deal.state is not StageGroup.OPEN and before.group is not deal.state:
        happened += told(deal, f"deal.{deal.state.value}", data)
    return happened


def told(deal: Deal, trigger: str, data: Mapping[str, Any]) -> list[Happening]:
    """What rules are told of a deal: they run on the lead that it came from, where it came from one."""
    return [Happening(trigger, deal.lead, data, deal=deal)] if deal.lead is not None else []


def _close(session: Session, deal: Deal, stage: Stage, reason: str | None, note: str) -> None:
    if stage.group is StageGroup.OPEN:
        deal.closed_at, deal.closing_reason, deal.closing_note = None, None, ""
        return
    reasons = [r for r in catalogue.load(session).closing_reasons if r.group in (None, stage.group.value)]
    if reason is None and stage.reason_required:
        known = ", ".join(r.key for r in reasons)
        raise Invalid("some values are not acceptable", {"/reason": f"is required; one of {known}"})
    if reason is not None and reasons and reason not in (r.key for r in reasons):
        known = ", ".join(r.key for r in reasons)
        raise Invalid("some values are not acceptable", {"/reason": f"is none of {known}"})
    deal.closed_at, deal.closing_reason, deal.closing_note = clock.now(), reason, note


def _must_have(deal: Deal, stage: Stage) -> None:
    if wrong := fields.missing(deal, stage.requires):
        raise Invalid(f"the stage '{stage.key}' needs more to be known", wrong)


def change(session: Session, deal: Deal, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
    """Changes columns of the deal by name; answers with what stood before.

    Raises Conflict where the amount is set by hand while it comes from the lines.
    """
    given = dict(values)
    if "amount" in given or "currency" in given:
        if deal.from_lines and given.get("amount", deal.amount) != deal.amount:
            raise Conflict("the amount comes from the deal's lines")
        here, settings = workspace.load(session), catalogue.load(session)
        unit = settings.currency(given.get("currency", deal.currency), here)
        if unit is None:
            raise Invalid("some values are not acceptable", {"/currency": "is none of the workspace's"})
        if given.get("amount") is not None:
            given["amount"] = money.rounded(money.exact(given["amount"], field="/amount"), unit.decimals)
    before = changes.change(session, deal, given, actor=actor)
    if "currency" in before and deal.from_lines:
        deal_lines.add_up(session, deal)
    return before


def set_contacts(session: Session, deal: Deal, contacts: Sequence[tuple[int, str]], *, actor: str) -> None:
    """Makes these the deal's further contacts, each with its role."""
    session.execute(delete(DealContact).where(DealContact.deal_id == deal.id))
    session.expire(deal, ["contacts"])
    session.add_all(
        DealContact(deal_id=deal.id, contact_id=contact_id, role=role, position=place)
        for place, (contact_id, role) in enumerate(dict(contacts).items())
        if contact_id != deal.contact_id
    )
    deal.updated_at = clock.now()
    session.flush()
    timeline.record(session, deal, kind="changed", summary=f"{len(contacts)} further contacts", actor=actor)
