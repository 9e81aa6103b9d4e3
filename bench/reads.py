"""What is read of a year of a million leads: reports, counters, timelines; beside bare looks at rows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from bench import year
from bench.report import Figure, Report, median
from bench.store import Store
from core import clock, db, queue
from crm import counters, rights, timeline, workspace
from crm.reports import registry
from crm.reports.asked import asked
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.user import Team, User

_LEADS, _QUICK_LEADS = 1_000_000, 50_000
_REPORT_S, _READ_MS = 2.0, 10.0
_TIMES, _OFTEN = 3, 50


#: What is read, by the name under which it may be asked for alone.
PARTS = ("reports", "counters", "timelines")


def measure(report: Report, store: Store, *, quick: bool, parts: Sequence[str] = PARTS) -> None:
    """Adds the figures of one database."""
    leads = _QUICK_LEADS if quick else _LEADS
    with tempfile.TemporaryDirectory() as folder, store.fresh(Path(folder) / "data"):
        database = db.configure(store.url())
        queue.configure(None)
        try:
            begin = time.perf_counter()
            made = year.fill(database, leads=leads)
            report.notes.append(
                f"{store.name}: {made.leads:,} leads, {made.activities:,} activities and {made.deals:,} deals"
                f" were written in {time.perf_counter() - begin:.0f} s."
            )
            area = f"crm, {store.name}, {leads:,} leads"
            looks: dict[str, Callable[[Session], Iterator[Figure]]] = {
                "reports": lambda session: _reports(session, area, store),
                "counters": lambda session: _counters(session, area, made),
                "timelines": lambda session: _timelines(session, area, made),
            }
            for part in parts:
                with db.reading() as session:
                    report.add(*looks[part](session))
        finally:
            database.close()


def _reports(session: Session, area: str, store: Store) -> Iterator[Figure]:
    """Each report of the whole year in its usual dimension, the slowest of its others, and as an agent."""
    here = workspace.load(session)
    today = clock.now().astimezone(here.zone).date()
    what = asked(session, since=today - timedelta(days=364), until=today)
    agent = session.scalars(select(User).order_by(User.id)).first()
    assert agent is not None
    team = rights.sight(session, agent, rights.Reach.TEAM)
    scan = _seconds(lambda: session.scalar(text("SELECT count(message) FROM lead")), _TIMES)
    limit = f"under {_REPORT_S:.0f} s" if store.name == "PostgreSQL" else ""

    def figure(words: str, seconds: float) -> Figure:
        beside = "a bare look at every lead, s"
        return Figure(
            area,
            words,
            seconds,
            "s",
            beside=beside,
            limit=scan,
            target=limit,
            met=seconds < _REPORT_S if limit else None,
        )

    for each in registry.REPORTS:
        usual, *others = each.by or ("",)

        def made(by: str, kind: str = each.kind) -> Callable[[], object]:
            return lambda: registry.make(session, kind, what, by=by or None)

        yield figure(
            f"report {each.kind}{f' by {usual}' if usual else ''}, p50", _seconds(made(usual), _TIMES)
        )
        if others:
            slowest, by = max((_seconds(made(by), 1), by) for by in others)
            yield figure(f"the same by {by}, the slowest of {len(others)}", slowest)
        with rights.seeing(team):
            yield figure("the same of one's own team, p50", _seconds(made(usual), _TIMES))


def _counters(session: Session, area: str, made: year.Year) -> Iterator[Figure]:
    here = workspace.load(session)
    user = session.scalars(select(User.id).order_by(User.id)).first() or 0
    team = session.scalars(select(Team.id).order_by(Team.id)).first() or 0
    bare = _bare(session)
    elements: dict[str, Any] = {
        "lead": session.get(Lead, made.lead),
        "deal": session.get(Deal, made.deal),
        "contact": session.get(Contact, made.contact),
        "company": session.get(Company, made.company),
    }
    size = -(-year.USERS // year.TEAMS)
    looks: dict[str, Callable[[], object]] = {
        "counters of one user": lambda: counters.of_users(session, here, [user]),
        f"counters of a team of {size}": lambda: counters.of_team(session, here, team),
        f"counters of all {year.USERS} users": lambda: counters.of_users(session, here),
    } | {
        f"counters of a {kind}": lambda element=element: counters.of_element(session, here, element)
        for kind, element in elements.items()
    }
    for words, look in looks.items():
        yield _read(area, f"{words}, p50", look, bare)


def _timelines(session: Session, area: str, made: year.Year) -> Iterator[Figure]:
    lead, contact = session.get(Lead, made.lead), session.get(Contact, made.contact)
    assert lead is not None
    assert contact is not None
    middle = session.scalar(text("SELECT max(id) FROM timeline_entry")) // 2
    bare = _bare(session)
    long = timeline.Filters(kinds=["comment"])
    rare = timeline.Filters(kinds=["call"])
    looks: dict[str, Callable[[], object]] = {
        f"timeline of a lead with {year.ENTRIES:,} entries": lambda: timeline.page(session, lead),
        "the same, a page in the middle": lambda: timeline.page(session, lead, before=middle),
        "the same, of one kind": lambda: timeline.page(session, lead, long),
        "the same, of a kind that there is not": lambda: timeline.page(session, lead, rare),
        f"timeline of its contact, with {year.LEADS_OF_ONE} leads": lambda: timeline.page(session, contact),
        "the same of the contact, a page in the middle": lambda: timeline.page(
            session, contact, before=middle
        ),
    }
    for words, look in looks.items():
        yield _read(area, f"{words}, p50", look, bare)


def _read(area: str, words: str, look: Callable[[], object], bare: float) -> Figure:
    milliseconds = _seconds(look, _OFTEN) * 1000
    return Figure(area, words, milliseconds, "ms", beside="one row by its key, ms", limit=bare * 1000)


def _bare(session: Session) -> float:
    look = text("SELECT title FROM lead WHERE id = :id")
    return _seconds(lambda: session.execute(look, {"id": 4321}).scalar(), _OFTEN)


def _seconds(look: Callable[[], object], times: int) -> float:
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        look()
        took.append(time.perf_counter() - begin)
    return median(took)
