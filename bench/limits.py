"""What the machine itself can do, measured bare: the disk, the broker."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import redis

_BLOCK = os.urandom(4096)
#: A row as large as a form.
#: A row as large as a form.
ROW = (os.urandom(370), "form", "received", "2026-11-23 12:00:00.000000")
_INSERT = "INSERT INTO bare (body, adapter, state, at) VALUES (?, ?, ?, ?)"
_HOP = """
import sys, time, redis
client = redis.Redis.from_url(sys.argv[1])
for _ in range(int(sys.argv[2])):
    found = client.blpop(["bench:hop"], timeout=20)
    now = time.perf_counter()
    if found is None:
        break
    print(now - float(found[1]), flush=True)
"""


@dataclass
class Loop:
    """How often something was done, how long each time took, and how many rows each time held."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    rows: int = 1

    @property
    def rate(self) -> float:
        """Rows in a second."""
        return len(self.latencies) * self.rows / self.seconds


def busy(seconds: float) -> float:
    """The share of all cores that is in use meanwhile, by whatever else the machine is doing."""

    def times() -> list[int]:
        return [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]

    before = times()
    time.sleep(seconds)
    passed = [now - then for now, then in zip(times(), before, strict=True)]
    return 1 - (passed[3] + passed[4]) / sum(passed)  # proc(5): the fourth and fifth are idle and iowait


def fdatasync(folder: Path, seconds: float) -> Loop:
    """Overwrites a block of 4 KiB and has it written to the disk, again and again."""
    made = Loop()
    file = os.open(folder / "bench.block", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(file, _BLOCK, 0)
        os.fsync(file)
        begin = now = time.perf_counter()
        while now - begin < seconds:
            os.pwrite(file, _BLOCK, 0)
            os.fdatasync(file)
            before, now = now, time.perf_counter()
            made.latencies.append(now - before)
        made.seconds = now - begin
    finally:
        os.close(file)
    return made


def connect(path: Path) -> sqlite3.Connection:
    """SQLite as durable as the service has it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def sqlite_commits(folder: Path, seconds: float, rows: int, *, pause: float = 0.0) -> Loop:
    """Commits groups of `rows` rows of a form's size, one group after the other."""
    made = Loop(rows=rows)
    with closing(connect(folder / "bench.db")) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS bare"
            " (id INTEGER PRIMARY KEY, body BLOB, adapter TEXT, state TEXT, at TEXT)"
        )
        # A log that still grows costs the file system a commit of its own each time: fill it once first.
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, [ROW] * 12_000)
        connection.execute("COMMIT")
        while made.seconds < seconds:
            time.sleep(pause)
            begin = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(rows):
                connection.execute(_INSERT, ROW)
            connection.execute("COMMIT")
            took = time.perf_counter() - begin
            made.latencies.append(took)
            made.seconds += took + pause
    return made


def broker_hops(url: str, times: int, *, pause: float = 0.02) -> list[float]:
    """Seconds from LPUSH in one process to the end of BLPOP in another, each time after a pause."""
    command = [sys.executable, "-c", _HOP, url, str(times + 5)]
    with (
        redis.Redis.from_url(url) as client,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting,
    ):
        time.sleep(0.5)
        for _ in range(times + 5):
            client.lpush("bench:hop", repr(time.perf_counter()))
            time.sleep(pause)
        output, _ = waiting.communicate(timeout=30)
    return [float(line) for line in output.split()][5:]
