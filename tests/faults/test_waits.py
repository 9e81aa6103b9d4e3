"""Scheduler and workers are killed while hundreds of runs wait: each is woken, once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter

import pytest

from tests.servers.port import wait_for
from tests.servers.service import Service

TOTAL = 500
WORKSPACE = """
workspace: {name: Acme, country: BR}
users: [{email: ana@acme.test}]
forms: [{key: contact}]
rules:
  - name: Wait
    on: lead.created
    do:
      - wait: 25 seconds
      - score: 1
      - add_tag: woken
"""


@pytest.mark.faults
def test_five_hundred_waits_over_killed_processes_are_each_woken_once() -> None:
    by = random.Random(20261124)
    with Service(WORKSPACE) as service:
        for n in range(TOTAL):
            assert service.form("contact", {"email": f"w{n}@client.test"}).status == 202
        wait_for(lambda: len(service.all("/leads")) == TOTAL, 60, "not all leads are there", every=0.5)
        for _ in range(4):
            for name in ("scheduler", "worker"):
                process_id = service.children().get(name)
                if process_id is not None:
                    os.kill(process_id, signal.SIGKILL)
            time.sleep(by.uniform(2, 4))
        wait_for(
            lambda: all(lead["tags"] == ["woken"] for lead in service.all("/leads")),
            90,
            "not all were woken",
            every=1,
        )
        leads = service.all("/leads")
        assert Counter(lead["score"] for lead in leads) == {1: TOTAL}
        runs = service.all("/runs")
        assert Counter(run["state"] for run in runs) == {"done": TOTAL}
