"""An idle service: how long one enquiry takes to become a routed lead, and to be answered by e-mail.

The lead counts as visible when its event is `processed` for a reader of the database itself, which
is asked every half millisecond; the event is closed in the transaction that makes and routes the lead.
"""

from __future__ import annotations

import random
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, Envelope, Session

from bench import limits
from bench.house import house, idle_cpu
from bench.load import body
from bench.report import Figure, Report, percentile
from bench.store import Store
from tests.servers.mail import SmtpSink
from tests.servers.service import Service

_ASK_SECONDS = 0.0005
_WARM = 3
_P50_MS, _P99_MS, _MAIL_P99_MS, _CPU_SHARE = 15.0, 50.0, 150.0, 0.02


class _TimedSink(SmtpSink):
    """Knows when each message had arrived."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        super().__init__()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        now = time.perf_counter()
        self.arrived.update(dict.fromkeys(envelope.rcpt_tos, now))
        return await super().handle_DATA(server, session, envelope)


@dataclass
class _Times:
    answered: list[float] = field(default_factory=list)
    routed: list[float] = field(default_factory=list)
    mailed: list[float] = field(default_factory=list)


def measure(report: Report, store: Store, *, quick: bool) -> None:
    """Adds the figures of one database."""
    times, rest = (12, 3.0) if quick else (60, 10.0)
    seen = _Times()
    with _TimedSink() as sink, house(store, mail=True, smtp_url=sink.url) as service:
        service.start()
        for number in range(-_WARM, times):  # the first only warm up
            time.sleep(0.15 + random.random() * 0.1)
            one = _once(service, store, sink, number)
            if number >= 0:
                for kept, took in zip((seen.answered, seen.routed, seen.mailed), one, strict=True):
                    kept.append(took)
        commits = store.commits(times * 0.02, 1, pause=0.02)
        broker = (service.folder / "var" / "broker.url").read_text().strip()
        hops = limits.broker_hops(broker, times)
        time.sleep(1)
        cpu = idle_cpu(service, rest)
    report.add(*_figures(f"idle, {store.name}", seen, commits.latencies, hops))
    share = sum(cpu.values()) / rest
    parts = ", ".join(f"{name} {used / rest:.1%}" for name, used in sorted(cpu.items()))
    report.add(
        Figure(
            f"idle, {store.name}",
            f"processor time of all processes in {rest:.0f} s ({parts})",
            sum(cpu.values()),
            "s",
            "one core's seconds",
            rest,
            target=f"< {_CPU_SHARE:.0%}",
            met=share < _CPU_SHARE,
        )
    )


def _once(service: Service, store: Store, sink: _TimedSink, number: int) -> tuple[float, float, float]:
    name = f"idle{number + _WARM}"
    fields = dict(urllib.parse.parse_qsl(body(name, number + _WARM)))
    begin = time.perf_counter()
    answer = service.form("contact", fields)
    answered = time.perf_counter()
    event_id = uuid.UUID(answer.json["event_id"]).hex
    end = begin + 20
    while True:
        routed = time.perf_counter()
        if store.rows("SELECT state FROM inbound_events WHERE id = ?", event_id) == [("processed",)]:
            break
        if routed > end:
            raise TimeoutError(f"{answer.status}: not routed after 20 s: {service.log()[-2000:]}")
        time.sleep(_ASK_SECONDS)
    while fields["email"] not in sink.arrived:
        if time.perf_counter() > end:
            raise TimeoutError(f"no e-mail after 20 s: {service.log()[-2000:]}")
        time.sleep(_ASK_SECONDS)
    return answered - begin, routed - begin, sink.arrived[fields["email"]] - begin


def _figures(area: str, seen: _Times, commits: list[float], hops: list[float]) -> list[Figure]:
    made = []
    for share, target in ((50, _P50_MS), (99, _P99_MS)):
        bare = (percentile(commits, share) + percentile(hops, share)) * 1000
        value = percentile(seen.routed, share) * 1000
        made.append(
            Figure(
                area,
                f"post → routed lead, p{share}",
                value,
                "ms",
                f"one bare commit + broker hop, p{share}, ms",
                bare,
                target=f"< {target:.0f} ms",
                met=value < target,
            )
        )
    accepted, mailed = (
        [percentile(values, share) * 1000 for share in (50, 99)] for values in (seen.answered, seen.mailed)
    )
    bare_mail = (3 * percentile(commits, 50) + 2 * percentile(hops, 50)) * 1000
    return [
        Figure(
            area,
            "post → accepted, p50",
            accepted[0],
            "ms",
            "one bare commit, p50, ms",
            percentile(commits, 50) * 1000,
        ),
        Figure(
            area,
            "post → accepted, p99",
            accepted[1],
            "ms",
            "one bare commit, p99, ms",
            percentile(commits, 99) * 1000,
        ),
        *made,
        Figure(
            area,
            "post → e-mail at the sink, p50",
            mailed[0],
            "ms",
            "three bare commits + two hops, p50, ms",
            bare_mail,
        ),
        Figure(
            area,
            "post → e-mail at the sink, p99",
            mailed[1],
            "ms",
            target=f"< {_MAIL_P99_MS:.0f} ms",
            met=mailed[1] < _MAIL_P99_MS,
        ),
    ]
