"""The mailbox process: watches every mailbox of the workspace that no other host watches."""

from __future__ import annotations

from boot import process
from core import db, queue
from intake.mailbox.watch import watch_all


def run() -> None:
    """Watches until told to stop."""
    process.begin("mailboxes", pool=20)
    watch_all(process.stop_event())
    queue.configure(None)
    db.database().close()
