"""How soon people answered, as tables: by policy, by owner, by team."""

from __future__ import annotations

from datetime import timedelta

from flask import render_template, request
from flask.typing import ResponseReturnValue

from core import clock, db
from rules import first_answers

_DAYS = (7, 30, 90, 365)


def page() -> ResponseReturnValue:
    """Of the enquiries of the last days."""
    asked = request.args.get("days", type=int)
    days = asked if asked in _DAYS else _DAYS[1]
    since = clock.now() - timedelta(days=days)
    with db.reading() as session:
        tables = {by: first_answers.report(session, by=by, since=since) for by in ("policy", "owner", "team")}
    return render_template("console/first_answers.html", tables=tables, days=days, choices=_DAYS)
