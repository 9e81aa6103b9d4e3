"""Reports as pages: which there are, and each with its filters, a picture, a table, and as files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from console import auth, charts, schedules
from core import clock, db
from core.errors import Invalid, NotFound
from crm import pipelines
from crm.reports import output, registry, saved
from crm.reports.table import Table
from models.report import SavedReport
from models.source import Channel, Source
from models.user import Role, Team, User

#: How far back a link on the page looks, in days.
DAYS = (7, 30, 90, 365)
_MOST = 200
_LONGEST = 500
#: What the reports do not ask for, so that the page does not offer it.
_WITHOUT: Mapping[str, frozenset[str]] = {
    "leads": frozenset({"pipeline"}),
    "first-response": frozenset({"pipeline"}),
    "activities": frozenset({"pipeline", "source", "channel"}),
    "returns": frozenset({"pipeline"}),
}
#: Reports of how it is now, which have no days.
NOW = frozenset({"funnel"})


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer: keys and the names that people know."""

    owners: Sequence[tuple[str, str]]
    teams: Sequence[tuple[str, str]]
    sources: Sequence[tuple[str, str]]
    pipelines: Sequence[tuple[str, str]]
    channels: Sequence[Channel] = tuple(Channel)


def all_reports() -> ResponseReturnValue:
    """The reports that there are, and those that were saved, the newest first."""
    with db.reading() as session:
        chosen = select(SavedReport).options(joinedload(SavedReport.user)).order_by(SavedReport.id.desc())
        kept = session.scalars(chosen.limit(_MOST)).all()
    return render_template(
        "console/reports.html",
        kinds=registry.REPORTS,
        names={kind: name_of(kind) for kind in registry.KINDS},
        kept=kept,
        schedules={row.id: schedules.shown(row.schedule) for row in kept},
        choices=schedules.CHOICES,
    )


def one_report(kind: str) -> ResponseReturnValue:
    """One report, counted now; with `format` as a file."""
    form = request.args.get("format")
    if form is not None and form not in output.TYPES:
        raise NotFound("There is no such file.")
    return page(kind, form)


def page(
    kind: str, form: str | None = None, *, mistakes: Mapping[str, str] | None = None, name: str = ""
) -> ResponseReturnValue:
    """The page of a report, or the file; `mistakes` are those in saving it."""
    report = registry.find(kind)
    given = filters(request.values)
    wrong: dict[str, str] = {}
    with db.reading() as session:
        table = None
        try:
            table = made(session, kind, given)
        except Invalid as error:
            wrong = {key.removeprefix("/filters/").lstrip("/"): w for key, w in error.fields.items()}
            wrong = wrong or {"": str(error)}
        if form is not None and table is not None:
            return file(table, form)
        choices = _choices(session)
    today = clock.now().astimezone(g.here.zone).date()
    answer = render_template(
        "console/report.html",
        report=report,
        name=name_of(kind),
        names={other: name_of(other) for other in registry.KINDS},
        table=table,
        chart=charts.chart(table) if table is not None else None,
        said=output.said,
        given=given,
        asked={k: v for k, v in given.items() if k not in ("days", "since", "until")},
        since=given.get("since") or (table.since if table else "") or today - timedelta(days=29),
        until=given.get("until") or (table.until if table else "") or today,
        wrong=wrong,
        without=_WITHOUT.get(kind, frozenset()),
        choices=choices,
        days=DAYS,
        dated=kind not in NOW,
        formats=output.TYPES,
        may=may_save(),
        mistakes=mistakes,
        saved_as=name,
    )
    return answer, 422 if wrong or mistakes else 200


def made(session: Session, kind: str, given: Mapping[str, Any]) -> Table:
    """The report with these filters, in the viewer's sight. Raises Invalid, naming the filter."""
    check_days(given)
    return saved.make(session, SavedReport(kind=kind, filters=dict(given), name="", user=None))


def check_days(given: Mapping[str, Any]) -> None:
    """Raises Invalid for days that are none."""
    wrong: dict[str, str] = {}
    for name in ("since", "until"):
        if name in given and not _is_day(given[name]):
            wrong[name] = "is no day, such as 2026-01-31"
    if "days" in given and not (str(given["days"]).isdecimal() and 1 <= int(given["days"]) <= 3660):
        wrong["days"] = "is no number of days from 1 to 3660"
    if wrong:
        raise Invalid("some values are not acceptable", wrong)


def filters(values: Mapping[str, str]) -> dict[str, Any]:
    """The filters of an address or a form, without those that are empty."""
    found: dict[str, Any] = {}
    for name in (*saved.FILTERS, "days", "since", "until"):
        text = values.get(name, "").replace("\0", "").strip()[:_LONGEST]
        if text:
            found[name] = text
    if found.get("days", "").isascii() and re.fullmatch(r"\d{1,4}", found.get("days", "")):
        found["days"] = int(found["days"])
    return found


def file(table: Table, form: str) -> Response:
    """The report as a file to keep."""
    answer = Response(output.write(table, form), content_type=output.TYPES[form])
    answer.headers["Content-Disposition"] = f'attachment; filename="{output.file_name(table, form)}"'
    return answer


def name_of(kind: str) -> str:
    """What people call a report."""
    return kind.replace("-", " ").capitalize()


def may_save() -> bool:
    """Whether the user saves reports and sets their schedules."""
    return auth.current_user().role in (Role.ADMIN, Role.MANAGER)


def _is_day(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _choices(session: Session) -> Choices:
    def pairs(chosen: Any) -> list[tuple[str, str]]:
        return [(row[0], row[1] or row[0]) for row in session.execute(chosen)]

    lines = [(line.key, line.name or line.key) for line in pipelines.all_pipelines(session)]
    return Choices(
        pairs(select(User.email, User.name).order_by(User.name, User.id).limit(_MOST)),
        pairs(select(Team.key, Team.name).order_by(Team.name, Team.id).limit(_MOST)),
        pairs(select(Source.key, Source.name).order_by(Source.name, Source.id).limit(_MOST)),
        lines,
    )
