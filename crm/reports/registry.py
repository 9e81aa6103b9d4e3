"""The reports there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from core.errors import Invalid, NotFound
from crm.reports import deals, leads, others, sql
from crm.reports.asked import Asked
from crm.reports.table import Table

_LEADS = ("source", "channel", "campaign", "owner", "team", "day", "week", "month")


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its name, what it tells, and by what it can be set out, the usual first; by nothing: `()`."""

    kind: str
    about: str
    by: tuple[str, ...]
    make: Callable[[Session, Asked], Table]


REPORTS = (
    Report("funnel", "Leads and deals by stage, now", (), deals.funnel),
    Report("leads", "Leads and what became of them", _LEADS, leads.leads),
    Report("conversion", "How far deals come, by cohort", ("month", *_LEADS[:7]), deals.conversion),
    Report("time-in-stage", "How long deals are in each stage", (), deals.time_in_stage),
    Report("first-response", "How soon leads are answered", _LEADS, leads.first_response),
    Report(
        "wins",
        "Deals won and lost",
        ("owner", "source", "channel", "campaign", "team", *_LEADS[5:]),
        deals.wins,
    ),
    Report("lost-reasons", "Why deals are lost", (), deals.lost_reasons),
    Report(
        "activities",
        "Activities and what became of them",
        ("type", "outcome", *_LEADS[3:]),
        others.activities,
    ),
    Report("returns", "What sources cost and bring", ("source", "channel", "campaign"), others.returns),
)
KINDS = tuple(report.kind for report in REPORTS)


def find(kind: str) -> Report:
    """The report of this name. Raises NotFound."""
    found = next((r for r in REPORTS if r.kind == kind), None)
    if found is None:
        raise NotFound(f"there is no report '{kind}'; there are {', '.join(KINDS)}")
    return found


def make(session: Session, kind: str, asked: Asked, *, by: str | None) -> Table:
    """Makes a report. Raises NotFound for a name that is none, Invalid for what it is not set out by."""
    report = find(kind)
    if by is not None and by not in report.by:
        known = ", ".join(report.by) or "nothing"
        raise Invalid("some values are not acceptable", {"by": f"this report is set out by {known}"})
    sql.prepare(session)
    return report.make(session, replace(asked, by=by or (report.by[0] if report.by else "source")))
