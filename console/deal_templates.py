"""Deals that come again: the card on a deal's page, and what its forms ask for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from console import auth, chosen, deals
from core import db
from core.errors import Conflict, Invalid, NotFound
from crm import deal_templates, recurrence, rule_words
from models.deal import Deal
from models.deal_template import DealTemplate

#: What the form offers; the API knows every rule of RFC 5545.
RULES = (
    *("FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=-1"),
    *("FREQ=MONTHLY;INTERVAL=3", "FREQ=MONTHLY;INTERVAL=6", "FREQ=YEARLY"),
)


def view(session: Session, row: Deal) -> dict[str, Any]:
    """What the card shows; the template is None where there is none in sight."""
    template = session.get(DealTemplate, row.template_id) if row.template_id is not None else None
    rule, until = _parts(template.recurrence) if template else ("FREQ=MONTHLY", "")
    at = template.next_at if template else None
    return {
        "template": template,
        "again": rule_words.words(template.recurrence) if template else "",
        "given": {
            "rule": rule,
            "until": until,
            "at": f"{at.astimezone(_zone(template)):%Y-%m-%dT%H:%M}" if at else "",
        },
        "rules": {one: rule_words.words(one) for one in dict.fromkeys((*RULES, rule))},
    }


def begin(row_id: int) -> ResponseReturnValue:
    """Makes a template of the deal."""
    deals.allowed()
    with db.unit_of_work() as session:
        row = deals.held(session, row_id)
        actor = f"user:{auth.current_user().id}"
        try:
            deal_templates.create(session, row, rule=_rule(), first_at=_at(_zone(None)), actor=actor)
        except Invalid as error:
            raise _in_words(error) from None
    return _back(row_id)


def do(template_id: int, what: str) -> ResponseReturnValue:
    """Changes when its deals come, lets it rest, lets it go on, or ends it."""
    deals.allowed()
    with db.unit_of_work() as session:
        row = session.get(DealTemplate, template_id, with_for_update={"of": DealTemplate})
        if row is None:
            raise NotFound("There is no such template.")
        if request.form.get("seen") != row.updated_at.isoformat():
            raise Conflict("Something has changed it meanwhile: look at it again.")
        back = chosen.line(request.form.get("deal", ""))
        if what == "end":
            deal_templates.delete(session, row, actor=f"user:{auth.current_user().id}")
        elif what == "change":
            _change(session, row)
        else:
            deal_templates.change(session, row, paused=what == "pause")
    return _back(int(back) if back.isdecimal() and len(back) < 19 else None)


def _change(session: Session, row: DealTemplate) -> None:
    rule, at = _rule(), _at(_zone(row))
    same = row.next_at is not None and row.next_at.replace(second=0) == at
    try:
        # What stands as it was counts on: a series of twelve has as many left as before.
        deal_templates.change(
            session,
            row,
            rule=rule if rule != row.recurrence else None,
            next_at=at if not same else None,
        )
    except Invalid as error:
        raise _in_words(error) from None


def _parts(written: str) -> tuple[str, str]:
    """The rule without its last day, and that day as the form writes it."""
    rule = recurrence.read(written)
    if rule.until is None or len(rule.until) != 8:
        return written, ""
    return rule.parts, date.fromisoformat(rule.until).isoformat()


def _rule() -> str:
    rule, until = chosen.line(request.form.get("rule", "")), request.form.get("until", "")
    if not until:
        return rule
    try:
        return f"{rule};UNTIL={date.fromisoformat(until):%Y%m%d}"
    except ValueError:
        raise Invalid("Say the last day such as 2026-12-31.") from None


def _at(zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(request.form.get("at", ""))
    except ValueError:
        raise Invalid("Say when the next deal is to be made.") from None
    if not 2000 <= at.year <= 2100 or at.tzinfo is not None:
        raise Invalid("Say when the next deal is to be made, in a year from 2000 to 2100.")
    return at.replace(tzinfo=zone).astimezone(UTC)


def _zone(template: DealTemplate | None) -> ZoneInfo:
    here: ZoneInfo = g.here.zone
    return ZoneInfo(template.zone) if template is not None else here


def _in_words(error: Invalid) -> Invalid:
    """What is wrong in the words of the form, as a page of its own says it."""
    names = {"/first_at": "The next time", "/next_at": "The next time", "/rule": "How often"}
    said = [f"{names.get(field, field)}: {words}." for field, words in error.fields.items()]
    return Invalid(" ".join(said) or str(error))


def _back(row_id: int | None) -> ResponseReturnValue:
    if row_id is None:
        return redirect(url_for("console.deals"), 303)
    return redirect(url_for("console.deal", row_id=row_id, _anchor="again"), 303)
