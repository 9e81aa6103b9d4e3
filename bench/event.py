"""One event: from its claim to the commit of all that its rules do at once, one after the other.

In this process, on a database that is made for it; beside it, in turns, a bare durable commit.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, select

from bench.drain import fill
from bench.report import Figure, Report, median, percentile
from bench.store import Store
from boot import process
from core import db, queue
from intake import pipeline
from models import Base
from models.inbound import EventState, InboundEvent
from models.rule import StepRow
from models.source import Channel, Source
from worker import executor
from workspace.apply import apply
from workspace.check import check
from workspace.document import parse

_EVENT_MS = 10.0
_WORKSPACE = """
workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL}
users:
  - {email: ana@acme.test, name: Ana}
  - {email: bruno@acme.test, name: Bruno}
  - {email: clara@acme.test, name: Clara}
teams: [{key: inbound, members: [ana@acme.test, bruno@acme.test, clara@acme.test]}]
calendars: [{key: office, hours: {mon-fri: "09:00-18:00"}, holidays: BR-SP}]
forms:
  - key: contact
    fields:
      - {name: name, required: true}
      - {name: email, type: email, required: true}
      - {name: phone, type: phone}
      - {name: company}
      - {name: employees, type: number}
      - {name: message, type: textarea}
rules:
  - name: Everything to the team
    on: form.submitted
    when: lead.channel == "form" && lead.fields.employees >= 1
    do:
      - assign: {team: inbound, by: round_robin}
      - schedule: {type: call, subject: "Call {{ lead.name }}", due: 15 business minutes, calendar: office}
      - set: {priority: high}
      - add_tag: form
"""
_STEPS = 4


def measure(report: Report, store: Store, *, quick: bool) -> None:
    """Adds the figure of one database."""
    events = 60 if quick else 400
    with tempfile.TemporaryDirectory() as folder, store.fresh(Path(folder) / "data"):
        database = db.configure(store.url())
        queue.configure(None)
        try:
            Base.metadata.create_all(database.engine)
            with database.unit_of_work() as session:
                apply(session, check(session, parse(_WORKSPACE.encode(), "workspace.yaml")), by="bench")
                pipeline.warm(session)
                source_id = session.scalars(select(Source.id).where(Source.channel == Channel.FORM)).one()
            fill(database, source_id, events)
            took, bare = _processed(store, events)
            with database.reading() as session:
                done = (InboundEvent.state == EventState.PROCESSED,)
                assert session.scalar(select(func.count()).where(*done)) == events
                assert session.scalar(select(func.count()).select_from(StepRow)) == events * _STEPS
        finally:
            database.close()
    area = f"rules, {store.name}"
    report.add(
        Figure(
            area,
            "one event: claimed, understood, all immediate steps, committed, p50",
            median(took),
            "ms",
            beside="one bare commit, ms",
            limit=median(bare),
            target=f"under {_EVENT_MS:.0f} ms",
            met=median(took) < _EVENT_MS,
        ),
        Figure(
            area, "the same, p99", percentile(took, 99), "ms", "one bare commit, ms", percentile(bare, 99)
        ),
    )


def _processed(store: Store, events: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each event and of each bare commit, taking turns."""
    with db.reading() as session:
        ids = session.scalars(select(InboundEvent.id).order_by(InboundEvent.id)).all()
    for event_id in ids[:10]:  # what a process does once
        executor.process_event(event_id)
    gc.collect()
    process.loaded()  # as each process of the service does
    took, bare = [], []
    for place, event_id in enumerate(ids[10:]):
        begin = time.perf_counter()
        executor.process_event(event_id)
        took.append((time.perf_counter() - begin) * 1000)
        if place % 20 == 0:
            bare += [seconds * 1000 for seconds in store.commits(0.05, 1).latencies]
    return took, bare
