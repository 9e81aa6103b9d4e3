"""Intake: durable accepted form posts, beside the same server's constant answer and the bare disk.

The rounds are interleaved, and each ratio is the median of the rounds' own ratios, so that whatever
else the machine is doing meets both sides alike. The worker is stopped (SIGSTOP, while it is idle)
for all but the last rounds: the question is what the web process can do.
"""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from dataclasses import dataclass, field

from bench import limits
from bench.house import house, memory, processes
from bench.load import Generator, Round
from bench.report import Figure, Report, median, percentile
from bench.store import Store
from tests.servers.port import wait_for

CONNECTIONS = (1, 16, 64)
_GROUP = 50
_CONSTANT_SHARE, _P99_MS = 0.6, 50.0


@dataclass
class _Rounds:
    """All rounds at one number of connections."""

    posts: list[Round] = field(default_factory=list)
    constants: list[Round] = field(default_factory=list)

    def latencies(self) -> list[float]:
        return [each for round_ in self.posts for each in round_.latencies]

    def ratio(self) -> float:
        return median(p.rate / c.rate for p, c in zip(self.posts, self.constants, strict=True))


def measure(report: Report, store: Store, generator: Generator, *, quick: bool) -> None:
    """Adds the figures of one database."""
    rounds, seconds, bare = (2, 0.5, 0.2) if quick else (5, 3.0, 1.0)
    by_connections = {n: _Rounds() for n in CONNECTIONS}
    loops: dict[str, list[limits.Loop]] = defaultdict(list)
    with house(store) as service:
        service.start()
        worker = service.children()["worker"]
        wait_for(lambda: _idle(store), 10, "the worker is not idle")
        os.kill(worker, signal.SIGSTOP)
        try:
            for _ in range(2):  # the first round of each kind only warms up
                generator.round(service.port, posting=True, connections=16, seconds=0.5)
                generator.round(service.port, posting=False, connections=16, seconds=0.5)
            for _ in range(rounds):
                for n, each in by_connections.items():
                    for posting, kept in ((False, each.constants), (True, each.posts)):
                        kept.append(
                            generator.round(service.port, posting=posting, connections=n, seconds=seconds)
                        )
                loops["one"].append(store.commits(bare, 1))
                loops["group"].append(store.commits(bare, _GROUP))
                loops["disk"].append(limits.fdatasync(service.folder, bare))
            web = memory(processes(service)["web"])
        finally:
            os.kill(worker, signal.SIGCONT)
        busy = [
            generator.round(service.port, posting=True, connections=64, seconds=max(seconds, 2))
            for _ in range(max(1, rounds - 2))
        ]
    for n, each in by_connections.items():
        report.add(*_figures(store.name, n, each))
    best = max(median(r.rate for r in each.posts) for each in by_connections.values())
    report.add(*_beside_the_disk(store.name, best, loops))
    latencies = [each for round_ in busy for each in round_.latencies]
    report.add(
        Figure(f"intake, {store.name}", "64 connections, the worker at work as well", _rate(busy), "posts/s"),
        Figure(f"intake, {store.name}", "its p99", percentile(latencies, 99) * 1000, "ms"),
        Figure("memory", f"web after the intake on {store.name}", web[0], "MiB RSS", f"PSS {web[1]:.0f} MiB"),
    )
    everything = [r for each in by_connections.values() for r in (*each.posts, *each.constants)] + busy
    cpu = sum(r.cpu for r in everything) / sum(r.seconds for r in everything)
    wrong = sum(r.wrong for r in everything)
    report.notes.append(
        f"Intake, {store.name}: the load generator itself used {cpu:.2f} of a core;"
        f" {wrong} requests were answered otherwise than expected."
    )


def _idle(store: Store) -> bool:
    time.sleep(0.5)
    return not store.rows("SELECT 1 FROM inbound_events WHERE state = 'received' LIMIT 1")


def _rate(rounds: list[Round]) -> float:
    return median(r.rate for r in rounds)


def _figures(name: str, connections: int, rounds: _Rounds) -> list[Figure]:
    area, many = f"intake, {name}", connections == 64
    ratio = rounds.ratio()
    p50, p99 = (percentile(rounds.latencies(), share) * 1000 for share in (50, 99))
    constant = [each for round_ in rounds.constants for each in round_.latencies]
    return [
        Figure(
            area,
            f"{connections} connection{'s' * (connections > 1)}",
            _rate(rounds.posts),
            "posts/s",
            "GET /healthz/s",
            _rate(rounds.constants),
            ratio,
            f"≥ {_CONSTANT_SHARE:.0%}" if many else "",
            ratio >= _CONSTANT_SHARE,
        ),
        Figure(area, "its p50", p50, "ms", "the constant's p50, ms", percentile(constant, 50) * 1000),
        Figure(
            area,
            "its p99",
            p99,
            "ms",
            "the constant's p99, ms",
            percentile(constant, 99) * 1000,
            target=f"< {_P99_MS:.0f} ms" if many else "",
            met=p99 < _P99_MS,
        ),
    ]


def _beside_the_disk(name: str, best: float, loops: dict[str, list[limits.Loop]]) -> list[Figure]:
    return [
        Figure(
            f"intake, {name}",
            "the best of these",
            best,
            "posts/s",
            words,
            median(x.rate for x in loops[kind]),
        )
        for kind, words in (
            ("one", "bare INSERTs/s, a commit each"),
            ("group", f"bare INSERTs/s, {_GROUP} a commit"),
            ("disk", "fdatasync/s of 4 KiB"),
        )
    ]
