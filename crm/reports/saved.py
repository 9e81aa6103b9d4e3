"""Reports that were saved: made with the days and the rights they have now, and mailed when it is time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from core import clock, cron
from core.errors import Invalid, NotAllowed
from crm import rights, workspace
from crm.contact_points import email_address
from crm.reports import registry
from crm.reports.asked import asked
from crm.reports.output import TYPES
from crm.reports.table import Table
from models.report import SavedReport
from models.user import User

#: The filters that a report has, beside the days.
FILTERS = ("by", "owner", "team", "source", "channel", "pipeline")
_MOST_RECIPIENTS = 50


def make(session: Session, row: SavedReport) -> Table:
    """The report as it is now, of what its user may see, in a session that reads.

    Whoever asks sees no more of it than they may themselves. Raises Invalid for filters that mean nothing
    any more.
    """
    what = rights.present()
    if row.user is not None:
        theirs = _sight(session, row.user)
        what = theirs if what is None else what if theirs is None else theirs.within(what)
    with rights.seeing(what):
        return _made(session, row)


def guard(session: Session, user: User | None) -> None:
    """Raises NotAllowed where a report with these rights, None: all, would show what is out of sight.

    Who sees a part of the elements may not have the others mailed to themselves.
    """
    mine = rights.present()
    if mine is None:
        return
    theirs = _sight(session, user) if user is not None else None
    if theirs is None or theirs.within(mine) != theirs:
        raise NotAllowed("this report is made with rights that are wider than yours")


def _sight(session: Session, user: User) -> rights.Sight | None:
    return rights.sight(session, user, rights.of_role(user.role, workspace.load(session).rights).see)


def _made(session: Session, row: SavedReport) -> Table:
    given = dict(row.filters)
    today = clock.now().astimezone(workspace.load(session).zone).date()
    days = given.pop("days", None)
    by = given.pop("by", None)
    since, until = (date.fromisoformat(d) if (d := given.pop(n, None)) else None for n in ("since", "until"))
    if days is not None:
        since, until = today - timedelta(days=int(days)), today - timedelta(days=1)
    what = asked(session, since=since, until=until, **given)
    made = registry.make(session, row.kind, what, by=by)
    return replace(made, title=f"{row.name}: {made.title}" if row.name else made.title)


def check(session: Session, values: Mapping[str, Any]) -> None:
    """Raises Invalid for a saved report that could not be made or mailed, with a pointer to each part."""
    wrong: dict[str, str] = {}
    if values["kind"] not in registry.KINDS:
        wrong["/kind"] = f"is none of {', '.join(registry.KINDS)}"
    if values["format"] not in TYPES:
        wrong["/format"] = f"is none of {', '.join(TYPES)}"
    if values["schedule"] is not None:
        try:
            cron.parse(values["schedule"])
        except Invalid as error:
            wrong["/schedule"] = str(error)
        if not values["recipients"]:
            wrong["/recipients"] = "is needed where there is a schedule"
    for place, to in enumerate(values["recipients"][:_MOST_RECIPIENTS]):
        if email_address(to) is None:
            wrong[f"/recipients/{place}"] = "is no e-mail address"
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    trial = SavedReport(
        kind=values["kind"], filters=dict(values["filters"]), name="", user=values.get("user")
    )
    try:
        make(session, trial)
    except Invalid as error:
        fields = {f"/filters/{name}": words for name, words in error.fields.items()}
        raise Invalid("some values are not acceptable", fields or {"/filters": str(error)}) from None


def plan(session: Session, row: SavedReport, *, after: datetime | None = None) -> None:
    """Sets when it is mailed next: never, where it has no schedule."""
    zone = workspace.load(session).zone
    following = cron.following(row.schedule, zone, after or clock.now()) if row.schedule else None
    row.next_at = following.astimezone(UTC) if following is not None else None
    session.flush()
