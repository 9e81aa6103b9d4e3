"""What is to be done, planned and ended on an element's page; and the user's own calendar address."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from console import auth
from core import db
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from crm import activities, calendar_feeds, catalogue, next_steps, recurrence, workspace
from crm.activity_parts import Details
from crm.element import Element
from intake.text import clean, one_line
from models.activity import Activity, ActivityState
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from rules import engine, subject

TABLES: dict[str, type[Lead | Contact | Company | Deal]] = {
    "lead": Lead,
    "contact": Contact,
    "company": Company,
    "deal": Deal,
}
#: What the form offers; the API knows every rule of RFC 5545.
RULES = {
    "": "Once",
    "FREQ=DAILY": "Every day",
    "FREQ=WEEKLY": "Every week",
    "FREQ=WEEKLY;INTERVAL=2": "Every two weeks",
    "FREQ=MONTHLY": "Every month",
    "FREQ=YEARLY": "Every year",
}
REMINDERS = {"": "No reminder", "0": "At its time", "15": "15 minutes before", "60": "An hour before"} | {
    "1440": "A day before"
}


def choices(session: Session) -> dict[str, object]:
    """What the forms offer."""
    settings = catalogue.load(session)
    outcomes = {kind.key: kind.outcomes for kind in settings.activity_types if kind.outcomes}
    names = {kind.key: kind.name for kind in settings.activity_types if kind.name}
    return {
        "kinds": settings.activity_kinds,
        "kind_names": names,
        "kind_outcomes": outcomes,
        "recurrences": RULES,
        "reminders": REMINDERS,
    }


def plan(kind: str, row_id: int) -> ResponseReturnValue:
    """Plans an activity on an element."""
    form = request.form
    with db.unit_of_work() as session:
        table = TABLES[kind]
        lock = {"of": Lead} if table is Lead else None
        element = cast("Element | None", session.get(table, row_id, with_for_update=lock))
        if element is None:
            raise NotFound(f"There is no such {kind}.")
        if getattr(element, "merged_into_id", None) is not None:
            raise Conflict("It is part of another one now.")
        user = auth.current_user()
        activities.plan(
            session,
            element,
            type=_kind(session, form.get("type", "task")),
            subject=_subject(form.get("subject", "")),
            due_at=_moment(form.get("due", "")),
            actor=f"user:{user.id}",
            owner_id=element.owner_id or user.id,
            details=_details(form),
        )
    return redirect(_page(kind, row_id), 303)


def end(activity_id: int, what: str) -> ResponseReturnValue:
    """Marks an activity as done or cancelled; where nothing is next then, the page asks for a next step."""
    with db.unit_of_work() as session:
        row = session.get(Activity, activity_id)
        if row is None:
            raise NotFound("There is no such activity.")
        subject.hold_rows(session, row.lead_id, row.deal_id, row.contact_id)
        session.refresh(row, with_for_update={"of": Activity})
        if row.state is not ActivityState.PLANNED:
            raise Conflict(f"The activity is {row.state.value}.")
        outcome = one_line(clean(request.form.get("outcome", "")))[:500]
        known = next((k.outcomes for k in catalogue.load(session).activity_types if k.key == row.type), [])
        if outcome and known and outcome not in known:
            raise Invalid(f"The outcome is none of {', '.join(known)}.")
        finish = activities.complete if what == "done" else activities.cancel
        happened = finish(
            session,
            row,
            actor=f"user:{auth.current_user().id}",
            outcome=outcome,
            result=clean(request.form.get("result", ""))[:20_000],
            whole_series=request.form.get("series") == "all",
        )
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        session.flush()
        wanted = next_steps.wanted(session, row)
        kind, row_id = _place(row)
    return redirect(_page(kind, row_id, wanted=wanted), 303)


def calendar() -> ResponseReturnValue:
    """The user's own calendar addresses; `address` is shown once, when it was made."""
    return _calendar()


def calendar_post() -> ResponseReturnValue:
    """Opens an address, or revokes all there are."""
    user = auth.current_user()
    with db.unit_of_work() as session:
        calendar_feeds.revoke_all(session, user)
        address = None
        if request.form.get("do") != "revoke":
            mine = session.merge(user, load=False)
            address = calendar_feeds.open_feed(session, mine)[1]
    return _calendar(address)


def _calendar(address: str | None = None) -> ResponseReturnValue:
    with db.reading() as session:
        feeds = calendar_feeds.of_user(session, auth.current_user().id)
    return render_template("console/calendar.html", feeds=feeds, address=address)


def _details(form: MultiDict[str, str]) -> Details:
    rule = form.get("recurrence", "") or None
    if rule is not None:
        recurrence.read(rule)
    reminder = form.get("reminder", "")
    minutes = form.get("minutes", "")
    return Details(
        note=clean(form.get("note", ""))[:20_000],
        place=one_line(clean(form.get("place", "")))[:500],
        minutes=int(minutes) if minutes.isascii() and minutes.isdecimal() and 0 < len(minutes) < 5 else None,
        reminders=(int(reminder),) if reminder in REMINDERS and reminder else (),
        recurrence=rule,
    )


def _kind(session: Session, kind: str) -> str:
    if kind not in catalogue.load(session).activity_kinds:
        raise Invalid("There is no such kind of activity.")
    return kind


def _subject(text: str) -> str:
    subject = one_line(clean(text))[:500]
    if not subject:
        raise Invalid("Say what is to be done.")
    return subject


def _moment(text: str) -> datetime:
    """A moment as the form's field says it, on the workspace's wall."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("Say when it is to be done.") from None
    zone: ZoneInfo = g.here.zone
    if not 2000 <= at.year <= 2100 or at.tzinfo is not None:
        raise Invalid("Say when it is to be done, in a year from 2000 to 2100.")
    return at.replace(tzinfo=zone)


def _place(row: Activity) -> tuple[str, int | None]:
    for kind in ("deal", "lead", "contact", "company"):
        row_id = getattr(row, f"{kind}_id")
        if row_id is not None and (kind != "deal" or row.lead_id is None):
            return kind, row_id
    return "lead", None


def _page(kind: str, row_id: int | None, *, wanted: bool = False) -> str:
    if row_id is None:
        return url_for("console.leads")
    asked = {"next": "1"} if wanted else {}
    names = {"lead_id" if kind == "lead" else "row_id": row_id, **asked}
    return url_for(f"console.{kind}", _anchor="next", **names)  # type: ignore[arg-type]
