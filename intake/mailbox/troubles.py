"""What is remembered of messages that could not be fetched, so that one of them does not stop the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from imapclient.exceptions import IMAPClientAbortError, ProtocolError

from intake.text import one_line

#: What the end of a connection looks like. All of IMAPClient's errors are imaplib's by another name.
BROKEN = (IMAPClientAbortError, OSError)
#: A message that is refused so often, or that ended so many connections, is set aside, visible as failed.
_MOST_REFUSALS = 3
_MOST_BREAKS = 5
_BYTES = re.compile(r"\bb(['\"])(.*)\1", re.DOTALL)
_QUOTATION = re.compile(r"(unexpected (?:tagged )?response):.*", re.DOTALL)


def words(error: Exception) -> str:
    """What an error says, in at most 300 characters.

    imaplib and IMAPClient quote what they cannot read, which may be a mail of any length: that is left out.
    """
    if isinstance(error, ProtocolError):
        return "the server's answer cannot be understood"
    said = _QUOTATION.sub(r"\1", str(error)[:2000])
    return one_line(_BYTES.sub(r"\2", said) or type(error).__name__)[:300]


class Troubles:
    """Which messages could not be fetched, and how often."""

    def __init__(self) -> None:
        self._last = 0
        self._times: dict[int, int] = {}
        self._hopeless: dict[int, str] = {}

    def near(self, uids: list[int]) -> bool:
        """Whether these are better fetched one by one."""
        return uids[0] <= self._last

    @contextmanager
    def noted(self, uids: list[int]) -> Iterator[None]:
        """Remembers it when what is done here about these messages fails, in whatever way."""
        try:
            yield
        except Exception as error:  # an answer can break its reader in more ways than IMAP has errors
            self._note(uids, error)
            raise

    def _note(self, uids: list[int], error: Exception) -> None:
        # Of one that was alone it is known whose fault it may be.
        self._last = max(self._last, uids[-1])
        if len(uids) == 1:
            (uid,) = uids
            self._times[uid] = self._times.get(uid, 0) + 1
            if self._times[uid] >= (_MOST_BREAKS if isinstance(error, BROKEN) else _MOST_REFUSALS):
                self._hopeless[uid] = f"{type(error).__name__}: {words(error)}"

    def hopeless(self, uid: int) -> str | None:
        """The last error of a message that was tried often enough."""
        return self._hopeless.get(uid)

    def untouchable(self, uid: int) -> bool:
        """Whether to ask for its headers, too, has ended connections often enough."""
        return self._times.get(uid, 0) >= 2 * _MOST_BREAKS
