"""The web process: Granian, which starts workers that serve the application (see boot.app).

It loads nothing of the application itself: each worker is a process of its own, and loads what it needs.
"""

from __future__ import annotations

import signal

from granian.constants import HTTPModes, Interfaces
from granian.server import Server

from boot import process
from core.settings import settings

#: Seconds a request that is under way is given when the process is told to stop.
_GRACE = 5
#: Seconds in which the one who had the port before may still leave it.
_TAKEOVER = 5


def run() -> None:
    """Serves until told to stop."""
    process.loaded()
    here = settings()
    if process.supervised():
        leave_ctrl_c()
    process.claim_port(here, patience=_TAKEOVER)
    server = Server(
        "boot.app:serve",
        address=here.host,
        port=here.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=here.web_workers,
        blocking_threads=here.web_threads,
        backpressure=here.web_threads * 4,
        http=HTTPModes.http1,
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=_GRACE,
        log_enabled=False,
    )
    server.serve()


def leave_ctrl_c() -> None:
    """Ctrl-C reaches the whole group, and whoever is above this process ends it then.

    A Granian worker that is told twice does not end at all, until it is killed. Its own handlers come later
    than ours would, so the signal is kept from it altogether.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
