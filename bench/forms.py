"""Forms: what a durable accepted post costs beside the same server's constant answer, in the same run.

At one, some and many connections, with an empty journal and with a million events in it. Rounds of posts
and of constant answers take turns, and ratios are the median of the rounds' own, so that whatever else the
machine does meets both alike. The worker is stopped: the question is what the web process can do.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field

from sqlalchemy import create_engine, text

from bench.house import house
from bench.load import Generator, Round
from bench.report import Figure, Report, median, percentile
from bench.store import Store

CONNECTIONS = (1, 16, 64)
_MANY = 1_000_000
_SHARE, _P99_MS, _FULL_SHARE = 0.5, 50.0, 0.85
_COLUMNS = (
    "id, source_id, adapter, dedupe_key, state, received_at, retry_at, processed_at, attempts, content_type,"
    " envelope, body"
)
# Ids in the order of time and keys without any, as the service makes them.
_FILL = {
    "sqlite": f"""
        INSERT INTO inbound_events ({_COLUMNS})
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many)
        SELECT '018' || printf('%029x', i), (SELECT min(id) FROM source), 'form',
          'content:' || i || ':' || lower(hex(randomblob(32))), 'processed', '2026-01-01 00:00:00',
          '2026-01-01 00:00:00', '2026-01-01 00:00:00', 1, 'application/json', '{{}}', randomblob(200)
        FROM n""",
    "postgresql": f"""
        INSERT INTO inbound_events ({_COLUMNS})
        SELECT ('018' || lpad(to_hex(i), 29, '0'))::uuid, (SELECT min(id) FROM source), 'form',
          'content:' || i || ':' || md5(random()::text) || md5(random()::text), 'processed', '2026-01-01',
          '2026-01-01', '2026-01-01', 1, 'application/json', '{{}}',
          decode(repeat(md5(random()::text), 12), 'hex')
        FROM generate_series(1, :many) AS i""",
}


@dataclass
class _Turns:
    """All rounds at one number of connections, with one state of the journal."""

    constants: list[Round] = field(default_factory=list)
    posts: list[Round] = field(default_factory=list)

    def share(self) -> float:
        """The rate of posts, as a share of the constant answer's."""
        return median(p.rate / c.rate for p, c in zip(self.posts, self.constants, strict=True))


def measure(report: Report, store: Store, generator: Generator, *, quick: bool) -> None:
    """Adds the figures of one database."""
    many, rounds, seconds = (50_000, 3, 0.5) if quick else (_MANY, 5, 2.0)
    with house(store) as service:
        service.start()
        worker = service.children()["worker"]
        time.sleep(1)
        os.kill(worker, signal.SIGSTOP)
        try:
            empty = _turns(generator, service.port, rounds, seconds)
            _fill(store, many)
            full = _turns(generator, service.port, rounds, seconds)
        finally:
            os.kill(worker, signal.SIGCONT)
    for words, found in (("", empty), (f", {many:,} events in the journal", full)):
        for connections, turns in found.items():
            area = f"forms, {store.name}{words}"
            report.add(*_figures(area, connections, turns))
    before, after = empty[CONNECTIONS[-1]].share(), full[CONNECTIONS[-1]].share()
    report.add(
        Figure(
            f"forms, {store.name}, {many:,} events in the journal",
            f"{CONNECTIONS[-1]} connections: share of the constant answer",
            after * 100,
            "%",
            "with an empty journal, %",
            before * 100,
            target=f"≥ {_FULL_SHARE:.0%} of it",
            met=after >= _FULL_SHARE * before,
        )
    )
    everything = [t for found in (empty, full) for t in found.values()]
    wrong = sum(r.wrong for t in everything for r in (*t.posts, *t.constants))
    report.notes.append(
        f"Forms, {store.name}: for an answer the load generator took"
        f" {_cost([r for t in everything for r in t.constants]):.0f} µs of processor time (constant) and"
        f" {_cost([r for t in everything for r in t.posts]):.0f} µs (posts); {wrong} were not as expected."
    )


def _turns(generator: Generator, port: int, rounds: int, seconds: float) -> dict[int, _Turns]:
    found = {connections: _Turns() for connections in CONNECTIONS}
    for posting in (False, True):  # the first only warm up
        generator.round(port, posting=posting, connections=CONNECTIONS[1], seconds=seconds)
    for _ in range(rounds):
        for connections, turns in found.items():
            for kept, posting in ((turns.constants, False), (turns.posts, True)):
                kept.append(generator.round(port, posting=posting, connections=connections, seconds=seconds))
    return found


def _figures(area: str, connections: int, turns: _Turns) -> list[Figure]:
    most = connections == CONNECTIONS[-1]
    share, p99 = turns.share(), _p99(turns.posts)
    words = "1 connection" if connections == 1 else f"{connections} connections"
    return [
        Figure(
            area,
            words,
            median(r.rate for r in turns.posts),
            "posts/s",
            "the constant answer/s",
            median(r.rate for r in turns.constants),
            ratio=share,
            target=f"≥ {_SHARE:.0%}" if most else "",
            met=share >= _SHARE if most else None,
        ),
        Figure(
            area,
            "its p99",
            p99,
            "ms",
            "the constant's p99, ms",
            _p99(turns.constants),
            target=f"< {_P99_MS:.0f} ms" if most else "",
            met=p99 < _P99_MS if most else None,
        ),
    ]


def _p99(rounds: list[Round]) -> float:
    return percentile([each for r in rounds for each in r.latencies], 99) * 1000


def _cost(rounds: list[Round]) -> float:
    return sum(r.cpu for r in rounds) * 1e6 / sum(len(r.latencies) for r in rounds)


def _fill(store: Store, many: int) -> None:
    url = store.url().replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(_FILL[engine.dialect.name]), {"many": many})
    engine.dispose()
