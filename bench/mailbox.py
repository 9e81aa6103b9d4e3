"""Mail: a backlog to routed leads, what a form waits meanwhile, and how long one message takes with IDLE.

The server is Dovecot, on loopback. Beside it a bare IMAPClient fetches the same messages, and does nothing
with them. The lead counts as visible when its event is `processed` for a reader of the database itself.
"""

from __future__ import annotations

import os
import random
import shutil
import time
import uuid
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from imapclient import IMAPClient

from bench.house import house
from bench.report import Figure, Report, percentile
from bench.store import Store
from core import clock
from tests.servers.mail import PASSWORD, USER, DovecotServer
from tests.servers.service import Service

_BATCH = 100
_WARM = 3
_SECOND_MS = 1000.0


def present() -> bool:
    """Whether Dovecot is installed."""
    return shutil.which("dovecot") is not None or Path("/usr/sbin/dovecot").exists()


def measure(report: Report, store: Store, *, quick: bool) -> None:
    """Adds the figures of one database."""
    messages, singles = (500, 15) if quick else (5000, 100)
    with DovecotServer() as server:
        _fill(server, messages)
        size, bare = _bare(server)
        with house(store, more=_mailbox(server)) as service:
            begin = time.perf_counter()
            service.start()
            journalled = _until(store, messages, "inbound_events", begin, service)
            waits = _meanwhile(store, messages, service)
            routed = time.perf_counter() - begin
            there = messages + len(waits)
            latencies = [_single(server, store, there + n, service) for n in range(singles + _WARM)]
    area = f"mailbox, {store.name}"
    rate = messages / bare
    report.add(
        Figure(
            area,
            f"{messages} messages of {size / messages / 1024:.1f} KiB, from the service's start: journalled",
            messages / journalled,
            "messages/s",
            "bare IMAPClient fetch, messages/s",
            rate,
        ),
        Figure(
            area,
            "the same: routed leads",
            messages / routed,
            "leads/s",
            "bare IMAPClient fetch, messages/s",
            rate,
        ),
    )
    for share in (50, 99):
        value = percentile(waits, share) * 1000
        report.add(
            Figure(
                area,
                f"meanwhile, {len(waits)} forms one after the other: post → routed lead, p{share}",
                value,
                "ms",
                target="< 1 s",
                met=value < _SECOND_MS,
            )
        )
    for share in (50, 99):
        value = percentile(latencies[_WARM:], share) * 1000
        report.add(
            Figure(
                area,
                f"with IDLE: delivery → routed lead, p{share}",
                value,
                "ms",
                target="< 1 s",
                met=value < _SECOND_MS,
            )
        )


def _mailbox(server: DovecotServer) -> str:
    return (
        f"mailboxes:\n  - {{key: sales, host: 127.0.0.1, port: {server.port}, security: none, since: all, "
        f"username: {USER}, password: {PASSWORD}}}\n"
    )


def _message(number: int) -> bytes:
    mail = EmailMessage()
    mail["From"] = f"Maria {number} <maria{number}@client.test>"
    mail["To"] = "sales@acme.test"
    mail["Subject"] = f"A question about your prices, {number}"
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = f"<bench{number}@client.test>"
    words = " ".join(random.Random(number).choices(("offer", "price", "team", "when", "please"), k=400))
    mail.set_content(f"Hello, what would it cost for {number} people? {words}\n")
    return mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))


def _fill(server: DovecotServer, messages: int) -> None:
    """Dropped into the Maildir: appending them would take longer than all the rest."""
    server.deliver(_message(0))  # makes the folders
    owner = server.mail.stat()
    for number in range(1, messages):
        file = server.mail / "new" / f"{number + 10**9}.bench.here"
        file.write_bytes(_message(number))
        os.chown(file, owner.st_uid, owner.st_gid)


def _bare(server: DovecotServer) -> tuple[int, float]:
    """Bytes and seconds of a client that fetches all; a first look makes the server's index."""
    for _ in range(2):
        with IMAPClient("127.0.0.1", server.port, ssl=False, timeout=60) as client:
            client.login(USER, PASSWORD)
            client.select_folder("INBOX", readonly=True)
            begin = time.perf_counter()
            uids, size = client.search(["ALL"]), 0
            for start in range(0, len(uids), _BATCH):
                found = client.fetch(uids[start : start + _BATCH], ["BODY.PEEK[]"])
                size += sum(len(data[b"BODY[]"]) for data in found.values())
            took = time.perf_counter() - begin
    return size, took


def _until(store: Store, number: int, rows: str, begin: float, service: Service) -> float:
    end = time.perf_counter() + 1200
    while store.rows(f"SELECT count(*) FROM {rows}") != [(number,)]:
        if time.perf_counter() > end:
            raise TimeoutError(f"not all messages came: {service.log()[-2000:]}")
        time.sleep(0.02)
    return time.perf_counter() - begin


def _meanwhile(store: Store, messages: int, service: Service) -> list[float]:
    """Seconds that each of the forms took which were posted until all of the backlog was routed."""
    waits: list[float] = []
    end = time.perf_counter() + 1200
    while store.rows("SELECT count(*) FROM inbound_events WHERE state = 'processed'")[0][0] < messages + len(
        waits
    ):
        begin = time.perf_counter()
        answer = service.form("contact", {"name": "Ana", "email": f"ana{len(waits)}@client.test"})
        event_id = uuid.UUID(answer.json["event_id"]).hex
        while store.rows("SELECT state FROM inbound_events WHERE id = ?", event_id) != [("processed",)]:
            if time.perf_counter() > end:
                raise TimeoutError(f"not all was routed: {service.log()[-2000:]}")
            time.sleep(0.002)
        waits.append(time.perf_counter() - begin)
        time.sleep(0.3)
    return waits


def _single(server: DovecotServer, store: Store, number: int, service: Service) -> float:
    time.sleep(0.1 + random.random() * 0.1)
    raw = _message(number)
    with IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10) as client:
        client.login(USER, PASSWORD)
        begin = time.perf_counter()
        client.append("INBOX", raw)
        end = begin + 20
        while store.rows("SELECT count(*) FROM inbound_events WHERE state = 'processed'") != [(number + 1,)]:
            if time.perf_counter() > end:
                raise TimeoutError(f"not routed after 20 s: {service.log()[-2000:]}")
            time.sleep(0.001)
        return time.perf_counter() - begin
