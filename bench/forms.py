"""Forms: posts with a million events in the journal, beside the same house when it was empty.

Each round of posts is measured beside a round of the server's constant answer, and both states of the house
are compared by these ratios, so that whatever else the machine does meets both alike. The worker is stopped.
"""

from __future__ import annotations

import os
import signal
import time

from sqlalchemy import create_engine, text

from bench.house import house
from bench.load import Generator
from bench.report import Figure, Report, median
from bench.store import Store

_MANY, _CONNECTIONS = 1_000_000, 16
_SHARE = 0.85
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


def measure(report: Report, store: Store, generator: Generator, *, quick: bool) -> None:
    """Adds the figures of one database."""
    many, rounds, seconds = (100_000, 3, 1.0) if quick else (_MANY, 5, 3.0)
    with house(store) as service:
        service.start()
        worker = service.children()["worker"]
        time.sleep(1)
        os.kill(worker, signal.SIGSTOP)
        try:
            before = _ratios(generator, service.port, rounds, seconds)
            _fill(store, many)
            after = _ratios(generator, service.port, rounds, seconds)
        finally:
            os.kill(worker, signal.SIGCONT)
    share = after[1] / before[1]
    report.add(
        Figure(
            f"forms, {store.name}",
            f"{_CONNECTIONS} connections, {many:,} events in the journal",
            after[0],
            "posts/s",
            "posts/s with an empty one",
            before[0],
            share,
            f"≥ {_SHARE:.0%}",
            share >= _SHARE,
        )
    )


def _ratios(generator: Generator, port: int, rounds: int, seconds: float) -> tuple[float, float]:
    """The rate of posts, and their share of the constant answer's."""
    found = []
    for _ in range(rounds + 1):  # the first only warms up
        constant = generator.round(port, posting=False, connections=_CONNECTIONS, seconds=seconds)
        posts = generator.round(port, posting=True, connections=_CONNECTIONS, seconds=seconds)
        found.append((posts.rate, posts.rate / constant.rate))
    return median(rate for rate, _ in found[1:]), median(ratio for _, ratio in found[1:])


def _fill(store: Store, many: int) -> None:
    url = store.url().replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(_FILL[engine.dialect.name]), {"many": many})
    engine.dispose()
