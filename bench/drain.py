"""A backlog: events that were journalled while everything was down, and how fast they become routed leads."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from bench.house import house, memory, processes
from bench.load import body
from bench.report import Figure, Report
from bench.store import Store
from core import db
from intake.delivery import Delivery
from intake.journal import Entry, append
from tests.servers.mail import SmtpSink
from tests.servers.service import Service

_TABLES = ("person", "contact_point", "lead", "timeline_entry", "run", "step", "trace", "activity")
_AT_ONCE = 250
_LEADS, _SHARE = 300.0, 0.4


def measure(report: Report, store: Store, *, quick: bool) -> None:
    """Adds the figures of one database: with routing alone and, unless quick, with an e-mail to each."""
    events = 150 if quick else 1500
    with house(store) as service:
        _fill(service, store, events)
        before = {table: _count(store, table) for table in _TABLES}
        started, took = _drain(service, store, events)
        rows = sum(_count(store, table) - before[table] for table in _TABLES)
        found = {name: memory(pids) for name, pids in processes(service).items()}
        service.stop()
        bare = events / store.replay(before)
    rate = events / took
    area = f"drain, {store.name}"
    report.add(
        Figure(
            area,
            f"{events} events, 20 rules, {rows / events:.1f} rows each",
            rate,
            "leads/s",
            "bare: the same rows, 2 commits each, leads/s",
            bare,
            target=f"≥ {_SHARE:.0%}",
            met=rate >= _SHARE * bare,
        ),
        Figure(area, "the same", rate, "leads/s", target=f"≥ {_LEADS:.0f}/s", met=rate >= _LEADS),
        Figure(area, "from the start of the service to the last", started, "s"),
    )
    if not quick:
        report.add(*_with_mail(store, area))
    report.add(*_memory(store.name, found))


def _with_mail(store: Store, area: str) -> Iterable[Figure]:
    """A smaller backlog whose leads are each sent an e-mail, too; what has not come in time is told so."""
    events, patience = 300, 45
    with SmtpSink() as sink, house(store, mail=True, smtp_url=sink.url) as service:
        _fill(service, store, events)
        _, took = _drain(service, store, events)
        begin = time.perf_counter()
        while len(sink.messages) < events and time.perf_counter() - begin < patience:
            time.sleep(0.02)
        sent, mailing = len(sink.messages), took + time.perf_counter() - begin
    yield Figure(area, f"{events} events with an e-mail to each: leads", events / took, "leads/s")
    yield Figure(area, f"their e-mails ({sent} in {mailing:.0f} s)", sent / mailing, "e-mails/s")


def _memory(name: str, found: dict[str, tuple[float, float]]) -> Iterable[Figure]:
    limits = {"web": 120.0, "worker": 150.0}
    for process, (resident, proportional) in sorted(found.items()):
        most = limits.get(process)
        yield Figure(
            "memory",
            f"{process} after the drain on {name}",
            resident,
            "MiB RSS",
            f"PSS {proportional:.0f} MiB",
            target=f"≤ {most:.0f} MiB" if most else "",
            met=resident <= most if most else None,
        )
    total = sum(p for _, p in found.values())
    yield Figure(
        "memory",
        f"all processes after the drain on {name}",
        total,
        "MiB PSS",
        target="≤ 500 MiB",
        met=total <= 500,
    )


def _count(store: Store, table: str) -> int:
    return int(store.rows(f"SELECT count(*) FROM {table}")[0][0])


def _fill(service: Service, store: Store, events: int) -> None:
    """Makes the database and journals the events, while the service is down."""
    service.run("db", "upgrade")
    service.run("apply", str(service.folder / "workspace.yaml"))
    [(source_id,)] = store.rows("SELECT id FROM source WHERE channel = 'form'")
    database = db.Database(store.url(), pool=2)
    try:
        fill(database, source_id, events)
    finally:
        database.close()


def fill(database: db.Database, source_id: int, events: int) -> None:
    """Journals so many forms, each from somebody else."""
    for first in range(0, events, _AT_ONCE):
        with database.unit_of_work() as session:
            append(session, [_entry(source_id, n) for n in range(first, min(first + _AT_ONCE, events))])


def _entry(source_id: int, number: int) -> Entry:
    content = body(f"drain{number}", number).encode()
    content_type = "application/x-www-form-urlencoded"
    delivery = Delivery(
        body=content,
        content_type=content_type,
        received_at=datetime.now(UTC),
        url="http://127.0.0.1/in/forms/contact",
        headers={"content-type": content_type},
        remote_address="127.0.0.1",
    )
    return Entry(source_id, "form", f"bench:{number}", delivery)


def _drain(service: Service, store: Store, events: int) -> tuple[float, float]:
    """Seconds from the start of the service to the last event, and from the first event to the last."""
    done = "SELECT count(*) FROM inbound_events WHERE state = 'processed'"
    begin = time.perf_counter()
    service.start()
    while (count := int(store.rows(done)[0][0])) < events:
        if time.perf_counter() - begin > 30 + events / 10:
            raise TimeoutError(f"{count} of {events} are done: {service.log()[-2000:]}")
        time.sleep(0.05)
    all_of_it = time.perf_counter() - begin
    [(first, last)] = store.rows("SELECT min(processed_at), max(processed_at) FROM inbound_events")
    return all_of_it, (_moment(last) - _moment(first)).total_seconds()


def _moment(stored: str | datetime) -> datetime:
    return stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
