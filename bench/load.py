"""The load generator: processes of their own with raw keep-alive sockets, so that it is not the limit.

Closed loop: each connection sends its next request as soon as it has its answer.
"""

from __future__ import annotations

import hmac
import json
import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

PROCESSES = 2
_HEAD = (
    "POST /in/forms/contact HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{}"
)
_BODY = (
    "name=Maria+{0}&email=maria.{0}%40client.test&phone=%2B55119{1:08d}&company=Horizonte+Azul+{0}"
    "&employees={2}&city=S%C3%A3o+Paulo&product=annual+plan&budget=12000&utm_source=newsletter"
    "&message=Good+morning%2C+we+saw+your+page+and+would+like+an+offer+for+our+office.+We+move+in+"
    "two+months+and+need+an+answer+by+the+end+of+next+week.+Please+call."
)
_SECRET = b"a secret of the bench's own"
_CONSTANT = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def body(name: str, number: int) -> str:
    """A form of ten fields, about 350 bytes, that nobody has sent before."""
    return _BODY.format(name, number % 100_000_000, 1 + number % 150)


def post(name: str, number: int) -> bytes:
    """The whole request."""
    content = body(name, number)
    return _HEAD.format(len(content), content).encode()


def call(name: str, number: int) -> bytes:
    """A missed call in one webhook, signed, of somebody who has not called before."""
    said = {"call_id": name, "direction": "inbound", "from": f"+55119{number:08d}", "to": "+551140000000"}
    ended = {"status": "missed", "started_at": 1_790_000_000, "ended_at": 1_790_000_020}
    return _signed("plain", {"type": "call.ended", "data": {**said, **ended}})


def question(name: str, caller: str) -> bytes:
    """A call that rings on the line whose provider asks whom to ring."""
    said = {"call_id": name, "direction": "inbound", "from": caller, "to": "+551140000001"}
    return _signed("asking", {"type": "call.ringing", "data": {**said, "status": "ringing"}})


def ended(name: str, caller: str) -> bytes:
    """The end of such a call, which nobody answered."""
    said = {"call_id": name, "direction": "inbound", "from": caller, "to": "+551140000001"}
    return _signed("asking", {"type": "call.ended", "data": {**said, "status": "abandoned"}})


def _signed(line: str, said: dict[str, object]) -> bytes:
    content = json.dumps(said).encode()
    signature = hmac.new(_SECRET, content, "sha256").hexdigest()
    head = (
        f"POST /in/calls/generic/{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Signature: sha256={signature}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@dataclass
class Round:
    """What came of one round: latencies in seconds, and what was answered otherwise than expected."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    wrong: int = 0
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Answers in a second."""
        return len(self.latencies) / self.seconds


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self._got = b""

    def send(self, request: bytes) -> None:
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The whole answer, or None while some of it is missing."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        self._got += part
        head, mark, rest = self._got.partition(b"\r\n\r\n")
        if not mark:
            return None
        told = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(rest) < int(told):
            return None
        answer, self._got = self._got, b""
        return answer


def drive(
    port: int, *, posts: str, connections: int, seconds: float, begin: float, what: str = "form"
) -> Round:
    """One process's share of a round. `posts` names the round; empty asks for the constant answer.

    `begin` is a moment of `time.perf_counter`, which all processes of a machine share.
    """
    numbers = count(int(begin * 1000) % 90_000_000)
    expected = b"HTTP/1.1 202" if posts and what == "form" else b"HTTP/1.1 200"
    made_of = call if what == "call" else post
    made = Round(seconds)

    def request() -> bytes:
        if not posts:
            return _CONSTANT
        number = next(numbers)
        return made_of(f"{posts}{number}", number)

    with selectors.DefaultSelector() as selector:
        open_ = [_Connection(port) for _ in range(connections)]
        for each in open_:
            selector.register(each.socket, selectors.EVENT_READ, each)
        time.sleep(max(0.0, begin - time.perf_counter()))
        used, end = time.process_time(), begin + seconds
        for each in open_:
            each.send(request())
        flying = len(open_)
        while flying:
            for key, _ in selector.select(20) or _late():
                connection: _Connection = key.data
                answer = connection.receive()
                if answer is None:
                    continue
                now = time.perf_counter()
                if not answer.startswith(expected):
                    made.wrong += 1
                elif now <= end:
                    made.latencies.append(now - connection.sent)
                if now < end:
                    connection.send(request())
                else:
                    flying -= 1
        made.cpu = time.process_time() - used
        for each in open_:
            each.socket.close()
    return made


def _late() -> Iterator[tuple[selectors.SelectorKey, int]]:
    raise TimeoutError("the server did not answer within 20 s")


class Generator:
    """Drives rounds from its own processes."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._rounds = count(1)

    def round(
        self, port: int, *, posting: bool, connections: int, seconds: float, what: str = "form"
    ) -> Round:
        """One round over all processes together: of posted forms, or of calls' webhooks."""
        processes = min(PROCESSES, connections)
        begin = time.perf_counter() + 0.15
        number = next(self._rounds)
        parts = [
            self._pool.submit(
                drive,
                port,
                posts=f"r{number}p{process}x" if posting else "",
                connections=connections // processes,
                seconds=seconds,
                begin=begin,
                what=what,
            )
            for process in range(processes)
        ]
        total = Round(seconds)
        for part in parts:
            found = part.result()
            total.latencies += found.latencies
            total.wrong += found.wrong
            total.cpu += found.cpu
        return total


@contextmanager
def generator() -> Iterator[Generator]:
    """A generator whose processes end with the block."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield Generator(pool)
