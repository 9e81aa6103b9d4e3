"""A lock that is had in the order in which it was asked for.

`threading.Lock` goes to whichever thread is awake when it is let go: one that waits can be passed by
others for seconds while several threads take it over and over.
"""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    """Mutual exclusion between the threads of a process, first come, first served."""

    def __init__(self) -> None:
        self._inner = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout: float = -1) -> bool:
        """Waits for its turn, at most so many seconds where not negative; says whether it came."""
        with self._inner:
            if not self._held:
                self._held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout):
            return True
        with self._inner:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True  # it came at the last moment

    def release(self) -> None:
        """Hands it to whoever waits longest."""
        with self._inner:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False
