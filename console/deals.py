"""Deals: made and changed by hand, and moved from stage to stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from console import auth, chosen, custom_fields, problems
from core import db
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import new_id
from crm import catalogue, deals, pipelines, workspace
from crm.written import Custom, day, decimal
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.user import Role, User
from rules import engine, subject

_TEXTS = (
    "title",
    "amount",
    "currency",
    "probability",
    "expected_close",
    "owner",
    "tags",
    "contact",
    "company",
)
_MOST_PARTS = 50
_EMPTY_PARTS = 2


def form(row_id: int | None = None) -> ResponseReturnValue:
    """The form for a deal, or for a new one: with `contact` or `company` about these."""
    allowed()
    with db.reading() as session:
        row = existing(session, row_id) if row_id is not None else None
        given = _values(session, row) if row is not None else _fresh(session)
        return _page(session, given, row)


def save(row_id: int | None = None) -> ResponseReturnValue:
    """Makes a deal, or changes it where nobody else has meanwhile."""
    allowed()
    given: dict[str, Any] = {name: chosen.line(request.form.get(name, "")) for name in _TEXTS}
    names = ("pipeline", "stage")
    given |= {name: chosen.line(request.form.get(name, "")) for name in names if row_id is None}
    parts = zip(request.form.getlist("part"), request.form.getlist("role"), strict=False)
    given["parts"] = [(chosen.line(who), chosen.line(role)[:100]) for who, role in parts][:_MOST_PARTS]
    given |= {name: chosen.answered(request.form, name, given[name]) for name in ("contact", "company")}
    answered = (
        (chosen.answered(request.form, f"parts-{place}", who), role)
        for place, (who, role) in enumerate(given["parts"])
    )
    given["parts"] = [part for part in answered if any(part)]
    offers: dict[str, list[chosen.Choice]] = {}
    try:
        with db.reading() as session:
            given["fields"] = custom_fields.filled_in(request.form, "deal", session)
            row = existing(session, row_id) if row_id is not None else None
            values = _read(session, given, row, offers)
        with db.unit_of_work() as session:
            saved = _create(session, values) if row_id is None else _change(session, row_id, values)
    except (Invalid, Conflict) as error:
        with db.reading() as session:
            row = existing(session, row_id) if row_id is not None else None
            return _page(session, given, row, mistakes=problems.by_field(error), offers=offers), 422
    return redirect(url_for("console.deal", row_id=saved), 303)


def move(row_id: int) -> ResponseReturnValue:
    """Moves the deal to another stage of its pipeline, or of another one; closing it may need a reason."""
    allowed()
    pipeline, _, stage = chosen.line(request.form.get("stage", "")).partition("/")
    reason = chosen.line(request.form.get("reason", ""))
    note = request.form.get("note", "").replace("\0", "").strip()[:10_000]
    with db.unit_of_work() as session:
        row = held(session, row_id)
        actor = f"user:{auth.current_user().id}"
        happened = deals.change_stage(
            session,
            row,
            stage or None,
            actor=actor,
            pipeline=pipeline or None,
            reason=reason or None,
            note=note,
        )
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    return redirect(url_for("console.deal", row_id=row_id), 303)


def view(session: Session, row: Deal) -> dict[str, Any]:
    """What the deal's own page shows of it beside what all elements have."""
    lines = pipelines.all_pipelines(session)
    shown = lines if any(line.id == row.pipeline_id for line in lines) else [row.pipeline, *lines]
    return {
        "pipelines": shown,
        "reasons": catalogue.load(session).closing_reasons,
        "probability": row.stage.probability if row.probability is None else row.probability,
        "parts": [part for part in row.contacts if part.contact],
        "lines": row.lines,
        "stays": row.stays,
    }


def _create(session: Session, values: dict[str, Any]) -> int:
    parts, custom = values.pop("parts"), values.pop("fields")
    contact_id = values.pop("contact_id")
    contact = session.get(Contact, contact_id) if contact_id is not None else None
    actor = f"user:{auth.current_user().id}"
    row = deals.create(session, actor=actor, contact=contact, custom=custom, **values)
    if parts:
        deals.set_contacts(session, row, parts, actor=actor)
    _told(session, row)
    return row.id


def _told(session: Session, row: Deal) -> None:
    happened = deals.told(row, "deal.created", {})
    engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())


def _change(session: Session, row_id: int, values: dict[str, Any]) -> int:
    row = held(session, row_id)
    if request.form.get("seen") != row.updated_at.isoformat():
        raise Conflict("somebody else has changed it meanwhile: look at it again")
    parts = values.pop("parts")
    actor = f"user:{auth.current_user().id}"
    if row.from_lines:
        values.pop("amount")
    deals.change(session, row, values, actor=actor)
    if parts or row.contacts:
        deals.set_contacts(session, row, parts, actor=actor)
    return row.id


def _read(
    session: Session, given: Mapping[str, Any], row: Deal | None, offers: dict[str, list[chosen.Choice]]
) -> dict[str, Any]:
    """What was filled in, as `crm.deals` takes it. Raises Invalid with every mistake; whom a name may mean is
    added to `offers`."""
    wrong: dict[str, str] = {}
    values: dict[str, Any] = {"title": given["title"], "currency": given["currency"] or g.here.currency}
    if not given["title"]:
        wrong["/title"] = "is required"
    values["amount"] = values["probability"] = values["expected_close"] = None
    try:
        values["amount"] = decimal(given["amount"], "/amount") if given["amount"] else None
    except Invalid as error:
        wrong |= error.fields
    if written := given["probability"].rstrip(" %"):
        values["probability"] = int(written) if written.isdecimal() and len(written) < 4 else -1
        if not 0 <= values["probability"] <= 100:
            wrong["/probability"] = "is from 0 to 100, in per cent"
    if given["expected_close"]:
        custom = Custom.of(g.here.zone, locale=g.here.locale, country=g.here.country)
        values["expected_close"] = day(given["expected_close"], custom)
        if values["expected_close"] is None:
            wrong["/expected_close"] = "is no day: write 2026-01-31"
    values["tags"] = list(dict.fromkeys(t.strip()[:100] for t in given["tags"].split(",") if t.strip()))[:50]
    values["owner_id"] = chosen.user(session, given["owner"], wrong)
    values["contact_id"] = chosen.row(session, Contact, given["contact"], "contact", wrong, offers)
    values["company_id"] = chosen.row(session, Company, given["company"], "company", wrong, offers)
    values["parts"] = [
        (found, role)
        for place, (who, role) in enumerate(given["parts"])
        if who and (found := chosen.row(session, Contact, who, f"parts-{place}", wrong, offers)) is not None
    ]
    if row is not None:
        # Whom somebody does not see they do not take away by leaving the field as it was.
        for name in _hidden(row):
            values[f"{name}_id"] = values[f"{name}_id"] or getattr(row, f"{name}_id")
        values["parts"] += [(part.contact_id, part.role) for part in row.contacts if part.contact is None]
    try:
        values["fields"] = custom_fields.read(session, "deal", given["fields"], new=row is None)
    except Invalid as error:
        wrong |= error.fields
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    if row is None:
        values |= {name: given[name] or None for name in ("pipeline", "stage")}
    return values


def _hidden(row: Deal) -> list[str]:
    """Which of contact and company it has, and the present user does not see."""
    return [n for n in ("contact", "company") if getattr(row, f"{n}_id") and getattr(row, n) is None]


def _values(session: Session, row: Deal) -> dict[str, Any]:
    return {
        "title": row.title,
        "amount": f"{row.amount.normalize():f}" if row.amount is not None else "",
        "currency": row.currency,
        "probability": "" if row.probability is None else str(row.probability),
        "expected_close": row.expected_close.isoformat() if row.expected_close else "",
        "owner": row.owner.email if row.owner else "",
        "tags": ", ".join(row.tags),
        "contact": chosen.named(row.contact),
        "company": chosen.named(row.company),
        "parts": [(chosen.named(part.contact), part.role) for part in row.contacts if part.contact],
        "fields": {one.field.key: one.value for one in custom_fields.shown(session, "deal", row.fields)},
    }


def _fresh(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys((*_TEXTS, "pipeline", "stage"), "")
    for name, table in (("contact", Contact), ("company", Company)):
        number = request.args.get(name, "")
        row = session.get(table, int(number)) if number.isdecimal() and len(number) < 19 else None
        found[name] = chosen.named(row)
    return found | {
        "owner": auth.current_user().email,
        "currency": g.here.currency,
        "parts": [],
        "fields": {},
    }


def _page(
    session: Session,
    given: Mapping[str, Any],
    row: Deal | None,
    *,
    mistakes: Mapping[str, str] | None = None,
    offers: Mapping[str, list[chosen.Choice]] | None = None,
) -> str:
    settings = catalogue.load(session)
    owned = custom_fields.shown(session, "deal", {})
    codes = [g.here.currency, *(c.code for c in settings.currencies), given["currency"] or g.here.currency]
    return render_template(
        "console/deal_edit.html",
        row=row,
        given={**given, "parts": [*given["parts"], *[("", "")] * _EMPTY_PARTS]},
        mistakes=mistakes or {},
        offers=offers or {},
        hidden=_hidden(row) if row is not None else [],
        codes=list(dict.fromkeys(codes)),
        users=session.scalars(select(User).where(User.active).order_by(User.name)).all(),
        pipelines=pipelines.all_pipelines(session),
        tags=[tag.name for tag in settings.tags],
        contacts=chosen.newest(session, Contact),
        companies=chosen.newest(session, Company),
        custom=[(one.field, given["fields"].get(one.field.key, one.value)) for one in owned],
    )


def existing(session: Session, row_id: int) -> Deal:
    """The deal. Raises NotFound."""
    row = session.get(Deal, row_id)
    if row is None:
        raise NotFound("There is no such deal.")
    return row


def held(session: Session, row_id: int) -> Deal:
    """The deal, held with the lead that it came from, which rules may change. Raises NotFound."""
    row = existing(session, row_id)
    subject.hold_rows(session, row.lead_id, row.id, None)
    return row


def allowed() -> None:
    """Raises NotAllowed for who may only look."""
    if auth.current_user().role is Role.READ_ONLY:
        raise NotAllowed("You may look, and change nothing.")
