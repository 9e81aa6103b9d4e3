"""One connection to a folder of an IMAP server (RFC 3501, RFC 2177), bounded in time."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from imapclient import SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from core import clock
from core.errors import Unavailable
from core.settings import settings as service
from intake.mailbox import fetching
from intake.mailbox.fetching import Fetched
from intake.mailbox.position import Opened, Position
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.sign_in import Token, sign_in
from intake.mailbox.wire import Client

#: Seconds in which a server must accept a connection, and begin to answer.
TIMEOUT = SocketTimeout(connect=10, read=30)
_GOODBYE_SECONDS = 3
#: A server may end an idle connection after 30 minutes (RFC 2177); many routers do so after 10.
IDLE_SECONDS = 5 * 60
#: How soon one who waits notices that it is to stop.
_LOOK_UP_SECONDS = 0.2
_MOST_IN_BATCH = 100
_BATCH_BYTES = 8 * 1024 * 1024
#: So far behind the last message is looked for UIDs that a server shows late.
GAP = 50
_AT_ONCE = 500


class Stop(Protocol):
    """Says when to end; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether it is time."""

    def wait(self, timeout: float) -> object:
        """Until it is time, at most so many seconds."""


class Connection:
    """Signs in when entered, leaves when left. `told` is set when the server said there is something."""

    def __init__(self, settings: MailboxSettings, folder: str, token: Token | None = None) -> None:
        self._settings = settings
        self._folder = folder
        self._token = token
        self._idle: bytes | None = None
        self._idling_since = 0.0
        self._can_idle = False
        self._exists = 0
        self._sizes: dict[int, int] = {}
        self.told = True

    def __enter__(self) -> Self:
        mailbox = self._settings
        tls = _tls(mailbox) if mailbox.security != "none" else None
        self.server = Client(*mailbox.address, tls if mailbox.security == "tls" else None, TIMEOUT)
        try:
            if mailbox.security == "starttls":
                self.server.starttls(tls)
            sign_in(self.server, mailbox, self._token)
        except BaseException:
            self._hang_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            with suppress(IMAPClientError, OSError):
                self.server.wire.sock.settimeout(_GOODBYE_SECONDS)
                self._stop_idling()
                self.server.logout()
        self._hang_up()

    def _hang_up(self) -> None:
        with suppress(OSError):  # it may be closed already
            self.server.shutdown()

    def open(self) -> Opened:
        """Opens the folder, for reading only unless something is to become of its messages."""
        self._stop_idling()
        self._can_idle = self.server.has_capability("IDLE")
        try:
            found = self.server.select_folder(self._folder, readonly=self._settings.after is None)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            raise IMAPClientError(f"the folder '{self._folder}' cannot be opened: {error}") from None
        if b"UIDVALIDITY" not in found:
            raise IMAPClientError(
                f"the server gives the folder '{self._folder}' no UIDVALIDITY (RFC 3501, 2.3.1.1)"
            )
        self._listen()
        uidnext = int(found[b"UIDNEXT"]) if b"UIDNEXT" in found else max(self.all(), default=0) + 1
        return Opened(int(found[b"UIDVALIDITY"]), uidnext)

    def news(self, place: Position, known: set[int]) -> Iterator[list[int]]:
        """The UIDs that were not read yet, in order, at most so many at once as may be asked about together.

        Beside those above the last one that are those a little below it that were not there before: a
        server may show a message late. `known` are the ones that are read.
        """
        self._stop_idling()
        if not self._can_idle:
            self.server.noop()  # a server need not notice new mail by itself (RFC 3501 section 7)
        uids: set[int] = set()
        floor = max(0, place.last_uid - GAP)
        if place.last_uid < place.history_uid:
            asked: list[object] = ["UID", f"{place.last_uid + 1}:{place.history_uid}"]
            if place.begins_at is not None:
                asked += ["SINCE", (place.begins_at - timedelta(days=2)).date()]
            uids.update(u for u in self.server.search(asked) if place.last_uid < u <= place.history_uid)
            floor = place.history_uid
        # 'n:*' names the last message even where its UID is below n (RFC 3501 section 6.4.8).
        uids.update(u for u in self.server.search(["UID", f"{floor + 1}:*"]) if u > floor)
        uids -= known
        older = self.before((u for u in uids if u <= place.history_uid), place.begins_at)
        known |= older
        self._listen()
        found = sorted(uids - older)
        for start in range(0, len(found), _MOST_IN_BATCH):
            yield found[start : start + _MOST_IN_BATCH]

    def all(self) -> set[int]:
        """Every UID of the folder."""
        self._stop_idling()
        self.server.noop()
        found = set(self.server.search(["ALL"]))
        self._listen()
        return found

    def before(self, uids: Iterable[int], moment: datetime | None) -> set[int]:
        """Those that came before the moment; one whose date the server does not say did not."""
        found: set[int] = set()
        ordered = sorted(uids) if moment is not None else []
        for start in range(0, len(ordered), _AT_ONCE):
            answer = self.server.fetch(ordered[start : start + _AT_ONCE], ["INTERNALDATE"])
            for uid, data in answer.items():
                date = data.get(b"INTERNALDATE")
                if moment is not None and isinstance(date, datetime) and date.tzinfo and date < moment:
                    found.add(uid)
        return found

    def batches(self, uids: list[int]) -> list[list[int]]:
        """The same in groups that are not too large to hold."""
        self._sizes = fetching.measure(self.server, uids)
        most = service().max_mail_bytes
        batches: list[list[int]] = []
        total = 0
        for uid in uids:
            size = min(self._sizes[uid], most)
            if not batches or total + size > _BATCH_BYTES:
                batches.append([])
                total = 0
            batches[-1].append(uid)
            total += size
        return batches

    def fetch(self, uids: list[int]) -> list[Fetched]:
        """The messages, unread as they were; of one that is too large its headers and its text.

        A message that was deleted meanwhile is left out. Raises IMAPClientError for one that is there
        and is not given.
        """
        if not self._sizes.keys() >= set(uids):
            self._sizes = fetching.measure(self.server, uids)
        messages = fetching.fetch(self.server, uids, self._sizes, service().max_mail_bytes)
        self._listen()
        missing = set(uids) - {m.uid for m in messages}
        if missing and (withheld := self.standing(sorted(missing))):
            raise IMAPClientError(f"the server does not give the message with UID {withheld[0]}")
        return messages

    def wait(self, seconds: float, stop: Stop) -> None:
        """Waits for news from the server, or only for the time where it cannot tell."""
        if self.told:
            return
        if not self._can_idle:
            stop.wait(seconds)
            return
        if self._idle is not None and clock.monotonic() - self._idling_since > IDLE_SECONDS:
            self._stop_idling()
        wire = self.server.wire
        if self._idle is None:
            self._idle, self._idling_since = wire.idle(), clock.monotonic()
        self._listen()  # it may have been said before we began to wait
        end = clock.monotonic() + seconds
        while not (self.told or stop.is_set()) and (rest := end - clock.monotonic()) > 0:
            if wire.ready(min(rest, _LOOK_UP_SECONDS)):
                wire.hear()
                self._listen()

    def quiet(self) -> None:
        """Ends waiting, so that something can be asked."""
        self._stop_idling()

    def standing(self, uids: list[int]) -> list[int]:
        """Which of these are still in the folder."""
        self.server.noop()  # lets the server tell which are gone
        standing = set(self.server.search(["UID", ",".join(map(str, uids))]))
        self._listen()
        return sorted(standing & set(uids))

    def _stop_idling(self) -> None:
        if self._idle is not None:
            tag, self._idle = self._idle, None
            self.server.wire.done(tag)
            self._listen()

    def _listen(self) -> None:
        """Notes what the server said beside its answers, which it says once (RFC 3501 section 7.3.1)."""
        said = self.server.wire.untagged_responses
        gone = len(said.pop("EXPUNGE", ()))
        if numbers := [int(number) for number in said.pop("EXISTS", ()) if isinstance(number, bytes)]:
            # Some servers repeat the number with every answer: only another one is news. Beside an
            # EXPUNGE it is not known which came first.
            self.told = self.told or bool(gone) or any(number != self._exists for number in numbers)
            self._exists = -1 if gone else numbers[-1]
        else:
            self._exists -= gone
        said.pop("RECENT", None)
        if self._idle is not None:
            said.clear()


def _tls(mailbox: MailboxSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=mailbox.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Unavailable(f"ca_file '{mailbox.ca_file}' cannot be used: {error}") from None
