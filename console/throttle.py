"""How often something may be tried."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta

from core import clock


class Throttle:
    """A sliding window of tries for each key, kept in this process.

    `most` tries `within` a time; of more than `keys` keys the one longest unused is forgotten.
    """

    def __init__(self, *, most: int, within: timedelta, keys: int = 10_000) -> None:
        self.most = most
        self.within = within
        self.keys = keys
        self._tries: dict[tuple[str, ...], deque[datetime]] = {}
        self._lock = threading.Lock()

    def take(self, *key: str) -> timedelta | None:
        """Counts a try; where there were too many, says how long to wait instead."""
        now = clock.now()
        with self._lock:
            tries = self._tries.pop(key, None) or deque()
            while tries and tries[0] <= now - self.within:
                tries.popleft()
            full = len(tries) >= self.most
            if not full:
                tries.append(now)
            self._tries[key] = tries
            if len(self._tries) > self.keys:
                del self._tries[next(iter(self._tries))]
        return tries[0] + self.within - now if full else None

    def forget(self, *key: str) -> None:
        """Starts anew for this key."""
        with self._lock:
            self._tries.pop(key, None)
