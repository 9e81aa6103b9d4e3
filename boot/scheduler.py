"""The scheduler process: any number may run, one leads."""

from __future__ import annotations

from boot import process
from core import db, queue
from worker import schedule


def run() -> None:
    """Keeps the table until told to stop."""
    process.begin("scheduler", pool=6)
    schedule.run(process.stop_event())
    queue.configure(None)
    db.database().close()
