"""A watcher's right to its mailbox: a lease, renewed by a thread of its own.

A fetch may take longer than the lease. Were it renewed between fetches, two hosts would take a large
message from each other for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import PortariaError, Unavailable
from core.logs import logger
from intake import lease

RENEW_SECONDS = lease.TERM.total_seconds() / 3
log = logger(__name__)


class LeaseLost(PortariaError):
    """Another host watches this mailbox now."""


class Right:
    """The lease of one mailbox. `look` is called with each renewal, in its transaction."""

    def __init__(
        self, name: str, holder: str, stop: threading.Event, look: Callable[[Session], None] | None = None
    ) -> None:
        self.taken = threading.Event()
        self._name = name
        self._holder = holder
        self._stop = stop
        self._look = look
        self._until = float("-inf")

    def keep(self) -> None:
        """Takes and renews the lease until told to stop."""
        while not self._stop.is_set():
            began = clock.monotonic()
            try:
                with db.unit_of_work(durable=False) as session:
                    held = self.confirm(session)
                    if held and self._look is not None:
                        self._look(session)
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("mailbox.lease_not_renewed", lease=self._name, error=str(error))
                held = self.held()
            else:
                self._until = began + lease.TERM.total_seconds() if held else float("-inf")
            if held:
                self.taken.set()
            else:
                self.taken.clear()
            self._stop.wait(RENEW_SECONDS if held else 1)

    def held(self) -> bool:
        """Whether it was renewed in time."""
        return clock.monotonic() < self._until

    def confirm(self, session: Session) -> bool:
        """Whether it is held in this transaction; what is written beside it counts only then."""
        return lease.hold(session, self._name, self._holder) is not None

    def give_back(self) -> None:
        """Lets another one have it at once."""
        try:
            with db.unit_of_work(durable=False) as session:
                lease.release(session, self._name, self._holder)
        except (Unavailable, SQLAlchemyError) as error:
            log.warning("mailbox.lease_not_given_back", lease=self._name, error=str(error))
