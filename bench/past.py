"""What rules cost among much that was there before: a draft tried on past leads, waits due among many.

In this process, on a database that is filled for it. In wall time, as a manager and a lead wait for it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bench.report import Figure, Report, percentile
from bench.store import Store
from core import clock, db, queue
from core.ids import new_id
from models import Base
from models.contact_point import Person
from models.lead import Lead, LeadStatus
from models.rule import Run, RunState, StepRow, StepState
from models.source import Channel, Source
from models.timeline import TimelineEntry
from rules.backtest import backtest
from worker.sweeper import Sweeper
from workspace.apply import apply
from workspace.check import check
from workspace.document import read

_EXAMPLE = Path("examples/agency.yaml")
_BACKTEST_S, _DUE_MS = 10.0, 1000.0


def measure(report: Report, store: Store, *, quick: bool) -> None:
    """Adds the figures of one database."""
    leads, waits = (1_000, 10_000) if quick else (10_000, 100_000)
    example = _EXAMPLE.resolve()
    with tempfile.TemporaryDirectory() as folder, store.fresh(Path(folder) / "data"):
        database = db.configure(store.url())
        queue.configure(None)
        try:
            Base.metadata.create_all(database.engine)
            with database.unit_of_work() as session:
                apply(session, check(session, read(example)), by="bench")
                _fill(session, leads)
            report.add(_tried(store.name, example, leads))
            with database.unit_of_work() as session:
                _wait(session, waits)
            report.add(*_found(store.name, waits))
        finally:
            database.close()


def _tried(name: str, example: Path, leads: int) -> Figure:
    with db.reading() as session:
        draft = check(session, read(example)).stored["rules"]
        begin = time.perf_counter()
        found = backtest(session, draft, days=30)
        took = time.perf_counter() - begin
    assert found.leads == leads
    assert not found.moved
    return Figure(
        f"past, {name}",
        f"a draft tried on {leads:,} leads",
        took,
        "s",
        target=f"under {_BACKTEST_S:.0f} s",
        met=took < _BACKTEST_S,
    )


def _found(name: str, waits: int) -> Iterable[Figure]:
    """How long the scheduler's look for what is due takes, with few due among many that wait."""
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        assert Sweeper().steps() == min(waits // 1000, 500)
        times.append((time.perf_counter() - begin) * 1000)
    yield Figure(
        f"past, {name}",
        f"finding {waits // 1000} due waits among {waits:,}, p99; looked for twice a second",
        percentile(times, 99),
        "ms",
        target=f"started within {_DUE_MS:.0f} ms",
        met=percentile(times, 99) + 500 < _DUE_MS,
    )


def _fill(session: Session, leads: int) -> None:
    """A month of leads, as their first submissions left them."""
    by = Random(1)
    source_id = session.scalars(select(Source.id).where(Source.channel == Channel.FORM)).first()
    now = clock.now()
    session.execute(insert(Person), [{"id": n + 1} for n in range(leads)])
    rows: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for n in range(leads):
        came = now - timedelta(days=29) * (1 - n / leads)
        told = {
            "name": f"Pessoa {n}",
            "message": "Gostaria de um orçamento para doze pessoas. " * 5,
            "fields": {"orcamento": str(by.randrange(100_000)), "city": "São Paulo"},
            "attribution": {"utm_source": "newsletter"},
            "channel": "form",
        }
        rows.append(_lead(n, came, source_id, told))
        entries.append(
            {
                "at": came,
                "kind": "submission",
                "summary": "An enquiry",
                "data": told,
                "actor": "service",
                "lead_id": n + 1,
                "event_id": new_id(),
            }
        )
    session.execute(insert(Lead), rows)
    session.execute(insert(TimelineEntry), entries)


def _lead(n: int, came: datetime, source_id: int | None, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": n + 1,
        "title": f"Enquiry {n}",
        "status": LeadStatus.CONVERTED if n % 3 else LeadStatus.NEW,
        "channel": Channel.FORM,
        "source_id": source_id,
        "person_id": n + 1,
        "name": told["name"],
        "email": f"p{n}@client.test",
        "message": told["message"],
        "fields": told["fields"],
        "attribution": told["attribution"],
        "created_at": came,
        "updated_at": came + timedelta(hours=5),
        "last_inbound_at": came,
    }


def _wait(session: Session, waits: int) -> None:
    """Many runs that wait; one in a thousand is due."""
    now = clock.now()
    runs = [
        {
            "id": n + 1,
            "ruleset_version_id": 1,
            "rule": "Os outros",
            "lead_id": 1,
            "state": RunState.ACTIVE,
            "effect_key": f"bench:{n}",
            "depth": 0,
            "started_at": now,
        }
        for n in range(waits)
    ]
    steps = [
        {
            "run_id": n + 1,
            "path": "000",
            "kind": "wait",
            "settings": {},
            "state": StepState.WAITING,
            "due_at": now - timedelta(seconds=1) if n % 1000 == 0 else now + timedelta(hours=1 + n / waits),
        }
        for n in range(waits)
    ]
    session.execute(insert(Run), runs)
    session.execute(insert(StepRow), steps)
