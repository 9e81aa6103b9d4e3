"""What somebody was told in the console, and the rules that are held back."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console import auth
from console.places import page_of
from core import db
from core.errors import Invalid, NotAllowed
from crm import notifications
from crm.element import Element
from models.notification import Notification
from models.user import Role
from rules import storms

#: As many are shown: who has more to read reads the newest.
MOST = 100
_RULERS = (Role.ADMIN, Role.MANAGER)


@dataclass(frozen=True, slots=True)
class Storm:
    """A rule that is held back, and the element's page and name."""

    rule: str
    runs: int
    began_at: object
    page: str | None
    title: str


def mine() -> ResponseReturnValue:
    """The newest notifications of whoever looks."""
    user = auth.current_user()
    with db.reading() as session:
        chosen = notifications.of_user(user.id).order_by(Notification.id.desc()).limit(MOST)
        rows = [(row, _place(row)) for row in session.scalars(chosen)]
        held = []
        if user.role in _RULERS:
            held = [
                Storm(one.row.rule, one.row.runs, one.row.began_at, page_of(one.on), _title(one.on))
                for one in storms.open_storms(session)
            ]
    return render_template("console/notifications.html", rows=rows, storms=held, most=MOST)


def read() -> ResponseReturnValue:
    """Marks one as read, or all that were shown."""
    given = request.form.getlist("id", type=int)[: MOST + 1]
    if not given:
        raise Invalid("Please say which.")
    with db.unit_of_work() as session:
        notifications.mark_read(session, auth.current_user().id, given)
    current_app.extensions["console.lookout"].forget()
    return redirect(url_for("console.notifications"), 303)


def resume() -> ResponseReturnValue:
    """Lets a rule go on wherever it is held back."""
    user = auth.current_user()
    if user.role not in _RULERS:
        raise NotAllowed("Only managers let a rule go on.")
    rule = request.form.get("rule", "")[:200]
    with db.unit_of_work() as session:
        count = storms.resume(session, rule, by=f"user:{user.id}")
    flash(f"“{rule}” may run again." if count else f"“{rule}” is not held back.", "storm")
    return redirect(url_for("console.notifications"), 303)


def _place(row: Notification) -> str | None:
    if row.deal_id is not None:
        return url_for("console.deal", row_id=row.deal_id)
    if row.contact_id is not None:
        return url_for("console.contact", row_id=row.contact_id)
    return url_for("console.lead", lead_id=row.lead_id) if row.lead_id is not None else None


def _title(element: Element | None) -> str:
    if element is None:
        return "what is about nobody"
    return getattr(element, "name", "") or getattr(element, "title", "")
