"""Saved reports: one as it is now, when and to whom it is mailed, and forgetting it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from console import auth, charts, reports, schedules
from core import clock, db
from core.errors import Invalid, NotAllowed, NotFound
from crm.reports import output, saved
from models.report import SavedReport
from models.user import User

_LONGEST_NAME = 200
_MOST_RECIPIENTS = 50


def keep(kind: str) -> ResponseReturnValue:
    """Saves the report of the page under a name, to be made with the rights of whoever saves it."""
    _allowed()
    name = _text("name")
    try:
        given = reports.filters(request.form)
        reports.check_days(given)
        with db.unit_of_work() as session:
            values = _values(session, kind=kind, name=name, filters=given)
            row = SavedReport(created_at=clock.now(), user=_me(session), **values)
            session.add(row)
            saved.plan(session, row)
            row_id = row.id
    except Invalid as error:
        return reports.page(kind, mistakes=_mistakes(error), name=name)
    return redirect(url_for("console.saved_report", report_id=row_id), 303)


def one(report_id: int) -> ResponseReturnValue:
    """The report as it is now; with `format` as a file."""
    form = request.args.get("format")
    if form is not None and form not in output.TYPES:
        raise NotFound("There is no such file.")
    return _page(report_id, form)


def change(report_id: int) -> ResponseReturnValue:
    """Sets its name, when it is mailed, to whom and as what."""
    _allowed()
    chosen = schedules.Schedule(_text("schedule"), _text("time"), " ".join(_text("own").split()))
    given: dict[str, Any] = {"name": _text("name"), "format": _text("format"), "recipients": _recipients()}
    try:
        line = schedules.line(chosen)
        with db.unit_of_work() as session:
            row = _existing(session, report_id, lock=True)
            saved.guard(session, row.user)
            values = _values(session, kind=row.kind, filters=row.filters, schedule=line, **given)
            for name, value in values.items():
                setattr(row, name, value)
            saved.plan(session, row)
    except Invalid as error:
        return _page(report_id, given=given | {"schedule": chosen}, mistakes=_mistakes(error))
    return redirect(url_for("console.saved_report", report_id=report_id), 303)


def delete(report_id: int) -> ResponseReturnValue:
    """Forgets it, and its schedule."""
    _allowed()
    with db.unit_of_work() as session:
        session.delete(_existing(session, report_id, lock=True))
    return redirect(url_for("console.reports"), 303)


def _page(
    report_id: int,
    form: str | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    mistakes: Mapping[str, str] | None = None,
) -> ResponseReturnValue:
    table, problem = None, ""
    with db.reading() as session:
        row = _existing(session, report_id)
        try:
            table = saved.make(session, row)
        except Invalid as error:
            named = "; ".join(f"{name.lstrip('/')} {words}" for name, words in error.fields.items())
            problem = named or str(error)
        user = row.user.name if row.user is not None else None
        if form is not None and table is not None:
            return reports.file(table, form)
    shown: dict[str, Any] = {
        "name": row.name,
        "format": row.format,
        "recipients": row.recipients,
        "schedule": schedules.shown(row.schedule),
    }
    answer = render_template(
        "console/saved_report.html",
        row=row,
        user=user,
        report_name=reports.name_of(row.kind),
        table=table,
        problem=problem,
        chart=charts.chart(table) if table is not None else None,
        said=output.said,
        shown=shown | dict(given or {}),
        choices=schedules.CHOICES,
        formats=output.TYPES,
        may=reports.may_save(),
        mistakes=mistakes,
        dated=row.kind not in reports.NOW,
    )
    return answer, 422 if mistakes or (problem and form is not None) else 200


def _values(
    session: Session,
    *,
    kind: str,
    name: str,
    filters: Mapping[str, Any],
    schedule: str | None = None,
    format: str = "xlsx",  # noqa: A002  the column's name
    recipients: list[str] | None = None,
) -> dict[str, Any]:
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Invalid("some values are not acceptable", {"/name": "has 1 to 200 characters, on one line"})
    if recipients and len(recipients) > _MOST_RECIPIENTS:
        raise Invalid("some values are not acceptable", {"/recipients": "are more than 50"})
    values: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "filters": dict(filters),
        "schedule": schedule,
        "format": format,
        "recipients": recipients or [],
    }
    saved.check(session, values)
    return values | {"updated_at": clock.now(), "error": ""}


def _existing(session: Session, report_id: int, *, lock: bool = False) -> SavedReport:
    row = session.get(SavedReport, report_id, with_for_update={"of": SavedReport} if lock else None)
    if row is None:
        raise NotFound("There is no such saved report.")
    return row


def _me(session: Session) -> User:
    return session.get_one(User, auth.current_user().id)


def _recipients() -> list[str]:
    return _text("recipients").replace(",", " ").replace(";", " ").split()


def _text(name: str) -> str:
    return request.form.get(name, "").replace("\0", "").strip()


def _mistakes(error: Invalid) -> dict[str, str]:
    """What is wrong, by field: of several recipients the address itself is named."""
    found: dict[str, str] = {}
    for pointer, words in error.fields.items():
        field, _, place = pointer.lstrip("/").partition("/")
        to = _recipients()
        if field == "recipients" and place.isdecimal() and int(place) < len(to):
            words = f"{to[int(place)][:200]} {words}"
        found[field] = "; ".join(
            filter(None, (found.get(field), f"{place} {words}" if field == "filters" else words))
        )
    return found or {"": str(error)}


def _allowed() -> None:
    if not reports.may_save():
        raise NotAllowed("Reports are saved by managers and administrators.")
