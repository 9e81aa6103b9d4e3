"""What all processes do first: settings, logs, database, doorbell, and how they are told to stop."""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from core import db, logs, queue
from core.db import Database
from core.errors import Conflict, Invalid
from core.settings import Settings, settings

#: Set by the supervisor for its children: they outlive neither it nor a Ctrl-C meant for it.
SUPERVISED = "PORTARIA_SUPERVISED"
_LOOK_SECONDS = 0.25


def loaded() -> None:
    """Has garbage looked for from now on, though not among what was loaded, which stays."""
    gc.freeze()
    gc.enable()


def begin(name: str, *, pool: int = 20, rings: bool = True) -> Database:
    """Sets up this process; `pool` bounds its database connections, `rings` says whether it wakes workers."""
    loaded()
    here = settings()
    logs.configure(name, level=here.log_level, form=here.log_format)
    here.key()
    database = db.configure(here.database, pool=pool)
    url = broker_url(here)
    queue.configure(queue.make_broker(url) if rings and url else None)
    return database


def broker_url(here: Settings) -> str:
    """The broker to ring: the configured one, or the embedded one where it is running."""
    if here.broker_url:
        return here.broker_url
    note = note_of_broker(here)
    return note.read_text().strip() if note.exists() else ""


def claim_port(here: Settings, *, patience: float = 0) -> None:
    """Makes sure that nobody else listens where we are to: the server itself would share the port.

    Waits `patience` seconds for one who is about to leave. Raises Conflict, naming the variable.
    """
    end = time.monotonic() + patience
    while True:
        try:
            family, kind, _, _, address = socket.getaddrinfo(here.host, here.port, type=socket.SOCK_STREAM)[0]
        except OSError:
            raise Invalid(f"PORTARIA_HOST: {here.host} is no address of this machine") from None
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise Invalid(
                        f"PORTARIA_HOST, PORT: {error.strerror} ({here.host}:{here.port})"
                    ) from None
                if time.monotonic() >= end:
                    raise Conflict(
                        f"port {here.port} is taken by another program: end it, or set PORT to a free one"
                    ) from None
            else:
                return
        time.sleep(0.1)


def note_of_broker(here: Settings) -> Path:
    """The file that says where the embedded broker listens."""
    return here.data_dir / "broker.url"


def supervised() -> bool:
    """Whether `portaria up` started this process and ends it."""
    return bool(os.environ.get(SUPERVISED))


def stop_event() -> threading.Event:
    """An event that is set when this process is told to stop, or its supervisor is gone."""
    stop = threading.Event()

    def told(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    if supervised():
        # Ctrl-C reaches the whole group; the supervisor then ends its children in order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leave_with_parent(stop.set)
    else:
        signal.signal(signal.SIGINT, told)
    return stop


def leave_with_parent(then: Callable[[], object]) -> None:
    """Calls `then` once the process that started this one is gone, however it went."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        then()

    threading.Thread(target=watch, name="parent", daemon=True).start()
