"""Deals: made, moved from stage to stage, closed, and what they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from core.rows import update_alone
from crm import catalogue, changes, fields, money, pipelines, timeline, workspace
from crm.happening import Happening, about
from models.contact import Contact
from models.deal import Deal, DealContact, StageStay
from models.lead import Lead
from models.pipeline import Pipeline, Stage, StageGroup

_LONGEST_TITLE = 200


def create(
    session: Session,
    *,
    title: str,
    actor: str,
    pipeline: str | Pipeline | None = None,
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
    line = pipeline if isinstance(pipeline, Pipeline) else pipelines.find(session, pipeline)
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
    number = catalogue.number(settings.numbers.deal, deal.id, now.astimezone(here.zone))
    update_alone(session, deal, {"number": number})
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
    before, came_from = deal.stage, deal.pipeline
    if chosen.id == before.id:
        _reasoned_anew(session, deal, reason, note, actor)
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
    data: dict[str, Any] = {"before": before.key, "reason": deal.closing_reason}
    if before.group is not deal.state:
        data["changes"] = {"state": before.group.value}
    if line is not came_from:
        data["changes"] = {**data.get("changes", {}), "pipeline": came_from.key}
    happened = told(deal, "deal.stage_changed", data)
    if deal.state is not StageGroup.OPEN and before.group is not deal.state:
        happened += told(deal, f"deal.{deal.state.value}", data)
    return happened


def _reasoned_anew(session: Session, deal: Deal, reason: str | None, note: str, actor: str) -> None:
    """A closed deal that stays where it is may be said to be so for another reason."""
    stood = deal.closing_reason
    if (
        deal.state is StageGroup.OPEN
        or reason is None
        or (reason, note or deal.closing_note)
        == (
            stood,
            deal.closing_note,
        )
    ):
        return
    closed_at = deal.closed_at
    _close(session, deal, deal.stage, reason, note or deal.closing_note)
    deal.closed_at, deal.updated_at = closed_at, clock.now()
    session.flush()
    timeline.record(
        session,
        deal,
        kind="changed",
        summary=f"closing reason: {stood or '(empty)'} → {reason}",
        actor=actor,
        data={"field": "closing_reason", "before": stood, "after": reason, "note": note},
    )


def told(deal: Deal, trigger: str, data: Mapping[str, Any]) -> list[Happening]:
    """What rules are told of a deal."""
    return [about(deal, trigger, data)]


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


def change(
    session: Session, deal: Deal, values: Mapping[str, Any], *, actor: str, new_lines: bool = False
) -> dict[str, Any]:
    """Changes columns of the deal by name; answers with what stood before.

    Raises Conflict where the amount is set by hand while it comes from the lines, and for another currency
    than its lines are priced in, unless `new_lines` are about to take their place.
    """
    given = dict(values)
    if deal.from_lines and not new_lines and given.get("currency", deal.currency) != deal.currency:
        raise Conflict(f"its lines are priced in {deal.currency}: set lines in {given['currency']} with it")
    if "amount" in given or "currency" in given:
        if deal.from_lines and given.get("amount", deal.amount) != deal.amount:
            raise Conflict("the amount comes from the deal's lines")
        here, settings = workspace.load(session), catalogue.load(session)
        unit = settings.currency(given.get("currency", deal.currency), here)
        if unit is None:
            raise Invalid("some values are not acceptable", {"/currency": "is none of the workspace's"})
        if given.get("amount") is not None:
            given["amount"] = money.rounded(money.exact(given["amount"], field="/amount"), unit.decimals)
    return changes.change(session, deal, given, actor=actor)


def set_contacts(session: Session, deal: Deal, contacts: Sequence[tuple[int, str]], *, actor: str) -> None:
    """Makes these the deal's further contacts, each with its role."""
    before = _parts(session, deal)
    session.execute(delete(DealContact).where(DealContact.deal_id == deal.id))
    session.expire(deal, ["contacts"])
    session.add_all(
        DealContact(deal_id=deal.id, contact_id=contact_id, role=role, position=place)
        for place, (contact_id, role) in enumerate(dict(contacts).items())
        if contact_id != deal.contact_id
    )
    deal.updated_at = clock.now()
    session.flush()
    after = _parts(session, deal)
    if after != before:
        timeline.record(
            session,
            deal,
            kind="changed",
            summary=f"further contacts: {', '.join(before) or '(empty)'} → {', '.join(after) or '(empty)'}"[
                :2000
            ],
            actor=actor,
            data={"field": "contacts", "before": before, "after": after},
        )


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "(empty)"


def _parts(session: Session, deal: Deal) -> list[str]:
    rows = session.execute(
        select(Contact.name, DealContact.role)
        .join(Contact, Contact.id == DealContact.contact_id)
        .where(DealContact.deal_id == deal.id)
        .order_by(DealContact.position)
    )
    return [f"{name} ({role})" if role else name for name, role in rows]
