"""What is remembered of messages that could not be fetched, so that one of them does not stop the rest."""

from __future__ import annotations

from imapclient.exceptions import IMAPClientAbortError

#: What the end of a connection looks like. All of IMAPClient's errors are imaplib's by another name.
BROKEN = (IMAPClientAbortError, OSError)
#: A message that is refused so often, or that ended so many connections, is set aside, visible as failed.
_MOST_REFUSALS = 3
_MOST_BREAKS = 5


class Troubles:
    """Which messages could not be fetched, and how often."""

    def __init__(self) -> None:
        self._last = 0
        self._times: dict[int, int] = {}
        self._hopeless: dict[int, str] = {}

    def near(self, uids: list[int]) -> bool:
        """Whether these are better fetched one by one."""
        return uids[0] <= self._last

    def note(self, uids: list[int], error: Exception) -> None:
        """A fetch of these has failed; of one that was alone it is known whose fault it may be."""
        self._last = max(self._last, uids[-1])
        if len(uids) == 1:
            (uid,) = uids
            self._times[uid] = self._times.get(uid, 0) + 1
            if self._times[uid] >= (_MOST_BREAKS if isinstance(error, BROKEN) else _MOST_REFUSALS):
                self._hopeless[uid] = f"{type(error).__name__}: {error}"[:300]

    def hopeless(self, uid: int) -> str | None:
        """The last error of a message that was tried often enough."""
        return self._hopeless.get(uid)
