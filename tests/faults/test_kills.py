"""Processes are killed in the middle of mixed traffic: what was accepted is processed, once."""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest
import redis

from tests.e2e.test_three_channels import TOKEN, workspace
from tests.servers.mail import PymapServer
from tests.servers.port import wait_for
from tests.servers.service import Service
from tests.servers.twilio import missed_call, signed

TOTAL = 500
SEED = 20261123


def mail(n: int) -> bytes:
    return (
        f"From: Sender {n} <mail{n}@client.test>\r\nTo: sales@acme.test\r\nSubject: Enquiry {n}\r\n"
        f"Message-ID: <{n}@client.test>\r\n\r\nHello {n}\r\n"
    ).encode()


class Traffic:
    """Sends mixed enquiries from some threads and remembers which were accepted."""

    def __init__(self, service: Service, mailbox: PymapServer) -> None:
        self.service = service
        self.mailbox = mailbox
        self.accepted: list[str] = []
        self.refused = 0
        self._next = iter(range(TOTAL))
        self._lock = threading.Lock()

    def run(self) -> None:
        threads = [threading.Thread(target=self._send, daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self) -> None:
        while True:
            with self._lock:
                n = next(self._next, None)
            if n is None:
                return
            who = self._one(n)
            with self._lock:
                self.accepted.append(who)
            time.sleep(0.02)

    def _one(self, n: int) -> str:
        """Sends enquiry n until it is accepted, as a sender that retries does; says who it was."""
        if n % 10 == 3:
            self.mailbox.deliver(mail(n))
            return f"mail{n}@client.test"
        while True:
            try:
                if n % 10 == 7:
                    caller = f"+55119{n:08d}"
                    params = missed_call(f"CA{n}", caller)[2]
                    headers, body = signed(f"{self.service.url}/in/calls/twilio/main", params, TOKEN)
                    if self.service.request("POST", "/in/calls/twilio/main", body, headers).status == 200:
                        return caller
                else:
                    fields = {"name": f"Form {n}", "email": f"form{n}@client.test"}
                    if self.service.form("contact", fields).status == 202:
                        return fields["email"]
            except (OSError, http.client.HTTPException):
                pass
            with self._lock:
                self.refused += 1
            time.sleep(0.05)


def people(service: Service) -> Counter[str]:
    return Counter(lead["email"] or lead["phone"] for lead in service.all("/leads"))


def check(service: Service, traffic: Traffic) -> None:
    """Everything accepted is one lead with an owner, and nothing waits."""

    def there() -> bool:
        return set(traffic.accepted) <= set(people(service))

    wait_for(there, 15, f"interrupted ones are not finished: {service.log()[-2000:]}", every=0.5)
    leads: list[Any] = service.all("/leads")
    twice = {who: n for who, n in people(service).items() if n > 1}
    assert (len(traffic.accepted), len(leads), twice) == (TOTAL, TOTAL, {})
    assert [lead["id"] for lead in leads if lead["owner"] is None] == []
    activities = Counter(a["lead_id"] for a in service.all("/activities"))
    assert set(activities.values()) == {1}
    assert service.all("/events?state=received") == []
    assert service.all("/events?state=failed") == []


def new_enquiry_flows(service: Service, n: int) -> float:
    """Seconds until a new enquiry is a lead."""
    start = time.monotonic()

    def flows() -> bool:
        try:
            service.form("contact", {"name": "New", "email": f"new{n}@client.test"})
            return bool(service.api(f"/leads?email=new{n}@client.test")["items"])
        except (OSError, http.client.HTTPException, AssertionError):
            return False

    wait_for(flows, 10, f"nothing flows: {service.log()[-2000:]}", every=0.1)
    return time.monotonic() - start


def kill(service: Service, name: str) -> None:
    """Kills one process, once it is there."""
    pid: Any = wait_for(lambda: service.children().get(name), 5, f"there is no {name}")
    os.kill(pid, signal.SIGKILL)


@pytest.mark.faults
def test_each_process_is_killed_in_the_middle_of_traffic() -> None:
    chance = random.Random(SEED)
    with PymapServer() as mailbox, Service(workspace(mailbox), TWILIO_AUTH_TOKEN=TOKEN) as service:
        traffic = Traffic(service, mailbox)
        thread = threading.Thread(target=traffic.run, daemon=True)
        thread.start()
        for name in ("worker", "web", "scheduler", "mailboxes", "broker", "worker", "web"):
            time.sleep(chance.uniform(0.5, 1.0))
            kill(service, name)
        time.sleep(0.5)
        service.kill()  # and all of it at once
        service.start()
        thread.join()
        check(service, traffic)
        assert new_enquiry_flows(service, 1) < 5
        kill(service, "worker")
        assert new_enquiry_flows(service, 2) < 5


@pytest.mark.faults
def test_the_broker_is_wiped_in_the_middle_of_traffic() -> None:
    with PymapServer() as mailbox, Service(workspace(mailbox), TWILIO_AUTH_TOKEN=TOKEN) as service:
        traffic = Traffic(service, mailbox)
        thread = threading.Thread(target=traffic.run, daemon=True)
        thread.start()
        with redis.Redis.from_url((service.folder / "var" / "broker.url").read_text()) as client:
            while thread.is_alive():
                client.flushall()
                time.sleep(0.2)
        check(service, traffic)
