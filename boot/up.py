"""Everything in one command: the broker, then each process, started again when it dies."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from boot.broker import EmbeddedBroker
from boot.process import SUPERVISED
from core.errors import Conflict
from core.logs import logger
from core.settings import Settings

PROCESSES = ("web", "worker", "scheduler", "mailboxes")
_STOP_SECONDS = 9.0
_LOOK_SECONDS = 0.1
#: A process that dies at once is started again after a longer and longer wait.
_SHORT_LIFE = 5.0
_LONGEST_WAIT = 10.0
log = logger(__name__)


class Child:
    """One process and when it may be started again."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._failures = 0
        self._started = 0.0
        self._again = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it."""
        self._started = time.monotonic()
        self.process = subprocess.Popen(self._command, env=self._environment, stdin=subprocess.DEVNULL)  # noqa: S603

    def tend(self) -> None:
        """Starts it again when it has died and its time has come."""
        now = time.monotonic()
        if self.process is not None and (code := self.process.poll()) is not None:
            self.process = None
            self._failures = self._failures + 1 if now - self._started < _SHORT_LIFE else 0
            wait = min(0.1 * 2**self._failures if self._failures else 0.0, _LONGEST_WAIT)
            self._again = now + wait
            log.warning("process.died", name=self.name, code=code, again_in_seconds=wait)
        if self.process is None and now >= self._again:
            self.start()

    def stop(self, sig: signal.Signals) -> None:
        """Sends it a signal, where it lives."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(sig)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """One per data directory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(settings.data_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another 'portaria up' runs on {settings.data_dir}") from None

    def run(self, prepare: Callable[[], None], ready: Callable[[], None]) -> None:
        """Runs until told to stop. `prepare` comes before the processes, `ready` once the web answers."""
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, self._told)
        broker = EmbeddedBroker(self.settings) if self.settings.embedded_broker else None
        children: list[Child] = []
        try:
            if broker is not None:
                broker.start()
            prepare()
            environment = self._environment()
            children = [
                Child(name, [sys.executable, "-m", "boot.cli", name], environment) for name in PROCESSES
            ]
            threading.Thread(target=ready, name="ready", daemon=True).start()
            while not self.stop.wait(_LOOK_SECONDS):
                if broker is not None and broker.process is not None and broker.process.poll() is not None:
                    log.warning("process.died", name="broker", code=broker.process.returncode)
                    broker.start()
                for child in children:
                    child.tend()
        finally:
            self._end(children)
            if broker is not None:
                broker.stop()
            os.close(self._lock)

    def _told(self, _: int, __: FrameType | None) -> None:
        self.stop.set()

    def _environment(self) -> dict[str, str]:
        metrics = (self.settings.data_dir / "metrics").resolve()
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(parents=True)
        return {**os.environ, SUPERVISED: "1", "PROMETHEUS_MULTIPROC_DIR": str(metrics)}

    def _end(self, children: list[Child]) -> None:
        for child in children:
            child.stop(signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        while any(c.alive for c in children) and time.monotonic() < end:
            time.sleep(0.02)
        for child in children:
            if child.alive:
                log.warning("process.killed", name=child.name)
                child.stop(signal.SIGKILL)
