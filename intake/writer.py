"""One thread that journals for all requests of a process: what comes at the same time shares one commit.

Many writers on SQLite wait for each other in sleeps; grouped, the disk is asked once for all of them.
On PostgreSQL it saves the round trips. A request returns only after its own group was committed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from queue import Empty, SimpleQueue

from core import db
from core.errors import PortariaError, Unavailable
from core.logs import logger
from intake.journal import Entry, Receipt, append

_MOST_ENTRIES = 256
_MOST_BYTES = 16 * 1024 * 1024
#: Seconds a request waits before it is told to come again.
PATIENCE = 10.0
#: Seconds after which it is tried again with what is kept.
_AGAIN = 1.0
#: Entries that may wait at all; beyond that the door says 503 at once instead of collapsing.
_MOST_WAITING = 2000
log = logger(__name__)


class _Waiting:
    """A request that waits for its commit."""

    __slots__ = ("done", "entries", "error", "keep", "receipts")

    def __init__(self, entries: Sequence[Entry], *, keep: bool) -> None:
        self.entries = entries
        self.keep = keep
        self.receipts: Sequence[Receipt] | None = None
        self.error: BaseException | None = None
        # A bare lock, held until the answer is there: an Event costs several times as much.
        self.done = threading.Lock()
        self.done.acquire()

    def tell(self) -> None:
        """Lets the request go on; one whose entries are kept may have gone on before."""
        if self.done.locked():
            self.done.release()


class Writer:
    """Start it in each process that has a door; stop it when the process ends."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._kept: deque[_Waiting] = deque(maxlen=_MOST_WAITING)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def journal(
        self, entries: Sequence[Entry], *, patience: float = PATIENCE, keep: bool = False
    ) -> list[Receipt]:
        """Returns once the entries are durably committed, all of them in one transaction.

        Raises Unavailable when the database does not take it in so many seconds: the sender keeps it. With
        `keep` this process does, and goes on trying: for what had to be answered all the same.
        """
        waiting = _Waiting(tuple(entries), keep=keep)
        if self._stopped or self._queue.qsize() >= _MOST_WAITING:
            if keep and not self._stopped:
                self._kept.append(waiting)
            raise Unavailable("too many requests are waiting for the journal")
        self._queue.put(waiting)
        if not waiting.done.acquire(timeout=patience):
            raise Unavailable("the journal did not answer in time")
        if waiting.error is not None:
            raise waiting.error
        if waiting.receipts is None:
            raise Unavailable("the journal stopped")
        return list(waiting.receipts)

    def stop(self, timeout: float = 5) -> None:
        """Writes what waits, for at most that many seconds, and takes no more."""
        self._stopped = True
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while group := self._next():
            try:
                self._write(group)
            except PortariaError as error:
                self._fail(group, error)
            except Exception as error:  # noqa: BLE001  stored for each request; the thread must go on
                self._one_by_one(group, error)

    def _next(self) -> list[_Waiting]:
        """All that waits, within bounds; nothing once the writer is to stop and all is written."""
        group: list[_Waiting] = []
        size = 0
        with suppress(Empty):
            while len(group) < _MOST_ENTRIES and (not group or size < _MOST_BYTES):
                waiting = self._queue.get(
                    block=not group and not self._stopped, timeout=_AGAIN if self._kept else None
                )
                if waiting is not None:
                    group.append(waiting)
                    size += sum(len(entry.delivery.body) for entry in waiting.entries)
        while self._kept and len(group) < _MOST_ENTRIES:
            group.append(self._kept.popleft())
        return group

    def _write(self, group: list[_Waiting]) -> None:
        with db.unit_of_work() as session:
            receipts = iter(append(session, [entry for w in group for entry in w.entries]))
        for waiting in group:
            waiting.receipts = list(islice(receipts, len(waiting.entries)))
            waiting.tell()

    def _one_by_one(self, group: list[_Waiting], error: Exception) -> None:
        """One entry that the database will not take must not take its neighbours along."""
        if len(group) == 1:
            log.error("journal.refused", error=f"{type(error).__name__}: {error}")
            self._fail(group, error)
            return
        for waiting in group:
            try:
                self._write([waiting])
            except Exception as alone:  # noqa: BLE001  stored for the request it belongs to
                self._fail([waiting], alone)

    def _fail(self, group: list[_Waiting], error: BaseException) -> None:
        for waiting in group:
            waiting.error = error
            waiting.tell()
            if not (waiting.keep and isinstance(error, Unavailable)):
                continue
            if self._stopped:
                log.error("journal.lost", entries=len(waiting.entries))
            else:
                self._kept.append(waiting)
