"""Calls: webhooks a second beside the constant answer, from a ring to the screen, and whom to ring in time.

The screen is a page's script: it signs in and asks when the script would. The question whom to ring is put at
its own pace while forms come as fast as they are taken and the worker works on both.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import threading
import time
import urllib.parse
from dataclasses import dataclass, field

from bench.house import house
from bench.load import Generator, ended, question
from bench.report import Figure, Report, median, percentile
from bench.store import Store
from tests.servers.service import Service

_CONNECTIONS = 16
#: Seconds in which a page's script asks again, and those within which it is to show a call.
_PAGE_ASKS, _SCREEN = 0.5, 1.0
_DECISION_MS, _QUESTIONS_A_SECOND = 300.0, 20
_PASSWORD = "a password of the bench's own"


def measure(report: Report, store: Store, generator: Generator, *, quick: bool) -> None:
    """Adds the figures of one database."""
    rounds, seconds, rings, load_seconds = (3, 1.0, 8, 3.0) if quick else (5, 3.0, 40, 15.0)
    area = f"calls, {store.name}"
    with house(store, lines=True) as service:
        service.start()
        report.add(*_webhooks(area, generator, service.port, rounds, seconds))
        _drained(store)
        report.add(_screen(area, service, rings))
        quiet = _Asker(service.port)
        quiet.ask(rings * 2)
        report.add(*_decisions(area, "nothing else to do", quiet))
        busy = _Asker(service.port)
        thread = threading.Thread(target=busy.ask, args=(int(load_seconds * _QUESTIONS_A_SECOND),))
        thread.start()
        generator.round(service.port, posting=True, connections=_CONNECTIONS, seconds=load_seconds + 1)
        thread.join()
        report.add(*_decisions(area, f"forms over {_CONNECTIONS} connections meanwhile", busy))


def _webhooks(area: str, generator: Generator, port: int, rounds: int, seconds: float) -> list[Figure]:
    rates, ratios, late, late_constant = [], [], [], []
    for number in range(rounds + 1):  # the first only warms up
        constant = generator.round(port, posting=False, connections=_CONNECTIONS, seconds=seconds)
        posts = generator.round(port, posting=True, connections=_CONNECTIONS, seconds=seconds, what="call")
        if number and not posts.wrong:
            rates.append(posts.rate)
            ratios.append(posts.rate / constant.rate)
            late.append(percentile(posts.latencies, 99) * 1000)
            late_constant.append(percentile(constant.latencies, 99) * 1000)
    rate = median(rates)
    return [
        Figure(
            area,
            f"signed webhooks, {_CONNECTIONS} connections",
            rate,
            "webhooks/s",
            "constant answers/s",
            rate / median(ratios),
            median(ratios),
        ),
        Figure(
            area, "the same, p99", median(late), "ms", "constant answer, p99, ms", median(late_constant),
            target="< 2,000 ms", met=median(late) < 2000,
        ),
    ]  # fmt: skip


def _drained(store: Store) -> None:
    end = time.monotonic() + 600
    while store.rows("SELECT count(*) FROM inbound_events WHERE state = 'received'") != [(0,)]:
        if time.monotonic() > end:
            raise TimeoutError("the backlog was not worked off")
        time.sleep(0.5)


class _Page:
    """A page that is open: signed in, and asking."""

    def __init__(self, service: Service) -> None:
        service.run("user", "create", "ana@acme.test", "--password", _PASSWORD)
        self._at = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
        self._cookie = ""
        csrf = re.search(r'name="csrf_token" value="([^"]+)"', self._get("/sign-in").decode())
        form = {"csrf_token": csrf[1] if csrf else "", "email": "ana@acme.test", "password": _PASSWORD}
        self._get("/sign-in", urllib.parse.urlencode(form))

    def shows(self, number: str) -> bool:
        """Whether a call of this number is seen."""
        return number in json.dumps(json.loads(self._get("/ringing"))["rings"])

    def _get(self, path: str, form: str | None = None) -> bytes:
        headers = {"Cookie": self._cookie} | (
            {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        )
        self._at.request("GET" if form is None else "POST", path, form, headers)
        answer = self._at.getresponse()
        content = answer.read()
        if answer.headers.get("Set-Cookie"):
            self._cookie = answer.headers["Set-Cookie"].partition(";")[0]
        if answer.status not in (200, 303):
            raise ConnectionError(f"{path}: {answer.status}")
        return content


def _screen(area: str, service: Service, rings: int) -> Figure:
    page, took = _Page(service), []
    caller = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    for ring in range(rings):
        number = f"+55113{ring:07d}"
        time.sleep(random.random() * _PAGE_ASKS)
        next_ask = time.perf_counter() + random.random() * _PAGE_ASKS
        begin = time.perf_counter()
        _send(caller, question(f"screen{ring}", number))
        while True:
            time.sleep(max(0.0, next_ask - time.perf_counter()))
            if page.shows(number):
                break
            next_ask += _PAGE_ASKS
            if time.perf_counter() - begin > 20:
                raise TimeoutError("a call was never shown")
        took.append(time.perf_counter() - begin)
        _send(caller, ended(f"screen{ring}", number))
    worst = percentile(took, 99)
    return Figure(
        area,
        f"ring → screen, p99 of {rings} (p50 {median(took) * 1000:.0f} ms)",
        worst * 1000,
        "ms",
        target=f"< {_SCREEN * 1000:.0f} ms",
        met=worst < _SCREEN,
    )


def _send(connection: http.client.HTTPConnection, request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if not line.startswith("Host"))
    connection.request("POST", first.split()[1], body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise ConnectionError(f"{answer.status}: {content[:200]!r}")
    return content


@dataclass
class _Asker:
    """Puts the question at an even pace, whatever the answers take."""

    port: int
    took: list[float] = field(default_factory=list)
    late: int = 0

    def ask(self, questions: int) -> None:
        """So many questions, one after the other."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        begin = time.perf_counter()
        for number in range(questions):
            time.sleep(max(0.0, begin + number / _QUESTIONS_A_SECOND - time.perf_counter()))
            asked = time.perf_counter()
            caller = f"+55112{number:07d}"
            unique = f"{begin:.6f}-{number}"
            answer = _send(connection, question(unique, caller))
            self.took.append(time.perf_counter() - asked)
            self.late += "was not known" in answer.decode() or "too many" in answer.decode()
            _send(connection, ended(unique, caller))


def _decisions(area: str, when: str, asker: _Asker) -> list[Figure]:
    worst = percentile(asker.took, 99) * 1000
    told = f"whom to ring, {when}; {asker.late} of {len(asker.took)} could not be decided in time"
    return [
        Figure(area, f"{told}; p50", median(asker.took) * 1000, "ms"),
        Figure(
            area, f"whom to ring, {when}, p99", worst, "ms",
            target=f"< {_DECISION_MS:.0f} ms", met=worst < _DECISION_MS,
        ),
    ]  # fmt: skip
