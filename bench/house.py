"""The real service for the bench: its workspace, its processes, and what they use of the machine."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.store import Store
from tests.servers.service import Service

_TICKS = os.sysconf("SC_CLK_TCK")
_WORKSPACE = """
workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL}
users:
  - {email: ana@acme.test, name: Ana}
  - {email: bruno@acme.test, name: Bruno}
  - {email: clara@acme.test, name: Clara}
teams: [{key: inbound, members: [ana@acme.test, bruno@acme.test, clara@acme.test]}]
calendars: [{key: office, hours: {mon-fri: "09:00-18:00"}, holidays: BR-SP}]
templates: [{key: welcome, subject: "Hello {{ lead.name }}", text: "Thank you, {{ lead.name }}."}]
forms:
  - key: contact
    fields:
      - {name: name, required: true}
      - {name: email, type: email, required: true}
      - {name: phone, type: phone}
      - {name: company}
      - {name: employees, type: number}
      - {name: message, type: textarea}
rules:
  - name: Everything to the team
    on: lead.created
    do:
      - assign: {team: inbound, by: round_robin}
      - schedule: {type: call, subject: "Call {{ lead.name }}", due: 15 business minutes, calendar: office}
  - name: What came by form
    on: lead.created
    when: lead.channel == "form" && lead.fields.employees >= 1
    do:
      - add_tag: form
"""
_MAIL_RULE = """
  - name: Who wrote gets an answer
    on: lead.created
    when: lead.email != null
    do:
      - send_email: {template: welcome}
"""
_OTHER_RULE = """
  - name: Another case {0}
    on: lead.created
    when: lead.channel == "form" && lead.fields.employees >= {1} && lead.company.startsWith("None {0}")
    do:
      - add_tag: case{0}
"""
RULES = 20


_LINES = """lines:
  - {key: plain, provider: generic, secret: "a secret of the bench's own", numbers: ["+551140000000"]}
  - key: asking
    provider: generic
    secret: "a secret of the bench's own"
    numbers: ["+551140000001"]
    team: inbound
    connect: {fallback: "+551140009999"}
"""


def workspace(*, mail: bool, lines: bool = False) -> str:
    """Twenty rules, of which two apply to each enquiry, and a third that writes to it where `mail`; with
    `lines`, two telephone lines and people who have telephones."""
    rules = [_WORKSPACE, *([_MAIL_RULE] if mail else [])]
    others = RULES - 2 - mail
    if lines:
        rules[0] = rules[0].replace("name: Ana}", "name: Ana, phone: '+5511999990001'}")
        rules[0] = rules[0].replace("rules:\n", f"{_LINES}rules:\n")
    return "".join([*rules, *(_OTHER_RULE.format(n, 1000 + n) for n in range(others))])


@contextmanager
def house(
    store: Store, *, mail: bool = False, smtp_url: str = "", more: str = "", lines: bool = False
) -> Iterator[Service]:
    """The service, prepared and not yet started, on an empty database; ended and removed with the block."""
    service = Service(
        workspace(mail=mail, lines=lines) + more,
        SMTP_URL=smtp_url,
        PORTARIA_LOG_LEVEL="warning",
        **store.environment(),
    )
    service.token = "none"  # nothing is asked of the API, so none needs to be made
    try:
        with store.fresh(service.folder / "var"):
            try:
                yield service
            finally:
                service.__exit__()
    finally:
        shutil.rmtree(service.folder, ignore_errors=True)


def processes(service: Service) -> dict[str, list[int]]:
    """The ids of all its processes by name, the supervisor's and the web's own workers included."""
    assert service.process is not None
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = {"up": [service.process.pid]}
    for name, pid in service.children().items():
        found[name] = _family(pid, parents)
    return found


def _family(pid: int, parents: dict[int, list[int]]) -> list[int]:
    return [pid, *(each for child in parents.get(pid, []) for each in _family(child, parents))]


def memory(pids: list[int]) -> tuple[float, float]:
    """Resident and proportional set size of these processes together, in MiB (proc(5), smaps_rollup)."""
    resident = proportional = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            resident += int(value.split()[0]) if name == "Rss" else 0
            proportional += int(value.split()[0]) if name == "Pss" else 0
    return resident / 1024, proportional / 1024


def cpu_seconds(pids: list[int]) -> float:
    """What these processes have used of the processors until now."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def idle_cpu(service: Service, seconds: float) -> dict[str, float]:
    """Seconds of processor time that each process uses while nothing is asked of it."""
    found = processes(service)
    before = {name: cpu_seconds(pids) for name, pids in found.items()}
    time.sleep(seconds)
    return {name: cpu_seconds(pids) - before[name] for name, pids in found.items()}
