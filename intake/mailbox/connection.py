"""One connection to an IMAP server (RFC 3501, RFC 2177), bounded in time; it only reads."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from imapclient import SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from core import clock
from core.settings import settings as service
from intake.delivery import Delivery
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.wire import Client

#: Seconds in which a server must accept a connection, and begin to answer.
TIMEOUT = SocketTimeout(connect=10, read=30)
_GOODBYE_SECONDS = 3
#: A server may end an idle connection after 30 minutes (RFC 2177); many routers do so after 10.
IDLE_SECONDS = 5 * 60
#: How soon one who waits notices that it is to stop.
_LOOK_UP_SECONDS = 0.2
_MOST_IN_BATCH = 50
_BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message as the server gave it."""

    uid: int
    body: bytes
    facts: Mapping[str, Any]

    def delivery(self, folder: str, uidvalidity: int | None, now: datetime) -> Delivery:
        """As the journal takes it."""
        facts = {**self.facts, "folder": folder, "uidvalidity": uidvalidity}
        return Delivery(
            body=self.body, content_type="message/rfc822", received_at=now, method="IMAP", facts=facts
        )


class Connection:
    """Signs in when entered, leaves when left. `told` is set when the server said there is something."""

    def __init__(self, settings: MailboxSettings) -> None:
        self._settings = settings
        self._idle: bytes | None = None
        self._idling_since = 0.0
        self._can_idle = False
        self._exists = 0
        self._sizes: dict[int, int] = {}
        self.told = True

    def __enter__(self) -> Self:
        mailbox = self._settings
        tls = ssl.create_default_context() if mailbox.security != "none" else None
        self._server = Client(*mailbox.address, tls if mailbox.security == "tls" else None, TIMEOUT)
        try:
            if mailbox.security == "starttls":
                self._server.starttls(tls)
            self._sign_in(mailbox.username, mailbox.password.get_secret_value())
        except BaseException:
            self._hang_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            with suppress(IMAPClientError, OSError):
                self._server.wire.sock.settimeout(_GOODBYE_SECONDS)
                self._stop_idling()
                self._server.logout()
        self._hang_up()

    def _hang_up(self) -> None:
        with suppress(OSError):  # it may be closed already
            self._server.shutdown()

    def _sign_in(self, username: str, password: str) -> None:
        try:
            if username.isascii() and password.isascii():
                self._server.login(username, password)
            else:
                self._server.plain_login(username, password)  # in UTF-8 (RFC 4616); LOGIN has no charset
        except LoginError as error:
            # It is called so whatever went wrong: a lost connection, or a passing trouble (RFC 5530).
            passing = isinstance(error.__context__, IMAPClientAbortError) or any(
                code in str(error).upper() for code in ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]")
            )
            if passing:
                raise IMAPClientAbortError(str(error)) from None
            raise

    def open(self) -> int:
        """Opens the folder for reading only and returns its UIDVALIDITY."""
        folder = self._settings.folder
        self._can_idle = self._server.has_capability("IDLE")
        try:
            found = self._server.select_folder(folder, readonly=True)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            raise IMAPClientError(f"the folder '{folder}' cannot be opened: {error}") from None
        if b"UIDVALIDITY" not in found:
            raise IMAPClientError(
                f"the server gives the folder '{folder}' no UIDVALIDITY (RFC 3501, 2.3.1.1)"
            )
        self._listen()
        return int(found[b"UIDVALIDITY"])

    def news(self, after: int) -> Iterator[list[int]]:
        """The UIDs above `after`, in order, at most so many at once as may be asked about together."""
        self._stop_idling()
        if not self._can_idle:
            self._server.noop()  # a server need not notice new mail by itself (RFC 3501 section 7)
        # 'n:*' names the last message even where its UID is below n (RFC 3501 section 6.4.8).
        uids = sorted({uid for uid in self._server.search(["UID", f"{after + 1}:*"]) if uid > after})
        self._listen()
        for start in range(0, len(uids), _MOST_IN_BATCH):
            yield uids[start : start + _MOST_IN_BATCH]

    def batches(self, uids: list[int]) -> list[list[int]]:
        """The same in groups that are not too large to hold."""
        self._measure(uids)
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

    def _measure(self, uids: list[int]) -> None:
        found = self._server.fetch(uids, ["RFC822.SIZE"])
        self._sizes = {uid: int(found.get(uid, {}).get(b"RFC822.SIZE") or 0) for uid in uids}

    def fetch(self, uids: list[int]) -> list[Fetched]:
        """The messages, unread as they were; of one that is too large only its headers.

        A message that was deleted meanwhile is left out. Raises IMAPClientError for one that is there
        and is not given.
        """
        if not self._sizes.keys() >= set(uids):
            self._measure(uids)
        most = service().max_mail_bytes
        whole = [uid for uid in uids if self._sizes[uid] <= most]
        large = [uid for uid in uids if uid not in whole]
        found: dict[int, Any] = {}
        for part, wanted in (("BODY[]", whole), ("BODY[HEADER]", large)):
            if wanted:
                asked = part.replace("[", ".PEEK[")
                found |= self._server.fetch(wanted, [asked, "INTERNALDATE"])
        self._listen()
        messages = []
        missing = []
        for uid in uids:
            data = found.get(uid, {})
            body = data.get(b"BODY[]" if uid in whole else b"BODY[HEADER]")
            if not isinstance(body, bytes):
                missing.append(uid)
                continue
            facts: dict[str, Any] = {"uid": uid}
            if isinstance(date := data.get(b"INTERNALDATE"), datetime):
                with suppress(ValueError):  # a zone may be a day or more away
                    facts["internaldate"] = date.isoformat()
            if uid in large or len(body) > most:  # its size was not the truth
                facts |= {"truncated": True, "size": max(self._sizes[uid], len(body))}
                body = _head(body)[:most]
            messages.append(Fetched(uid, body, facts))
        if missing and (withheld := self._standing(missing)):
            raise IMAPClientError(f"the server does not give the message with UID {withheld[0]}")
        return messages

    def headers(self, uid: int) -> bytes:
        """The headers of a message that is not to be had; empty where these are not, too."""
        try:
            found = self._server.fetch([uid], ["BODY.PEEK[HEADER]"])
        except IMAPClientAbortError:
            raise
        except IMAPClientError:
            return b""
        body = found.get(uid, {}).get(b"BODY[HEADER]")
        return body[: service().max_mail_bytes] if isinstance(body, bytes) else b""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Waits for news from the server, or only for the time where it cannot tell."""
        if self.told:
            return
        if not self._can_idle:
            stop.wait(seconds)
            return
        if self._idle is not None and clock.monotonic() - self._idling_since > IDLE_SECONDS:
            self._stop_idling()
        wire = self._server.wire
        if self._idle is None:
            self._idle, self._idling_since = wire.idle(), clock.monotonic()
        self._listen()  # it may have been said before we began to wait
        end = clock.monotonic() + seconds
        while not (self.told or stop.is_set()) and (rest := end - clock.monotonic()) > 0:
            if wire.ready(min(rest, _LOOK_UP_SECONDS)):
                wire.hear()
                self._listen()

    def _standing(self, uids: list[int]) -> list[int]:
        self._server.noop()  # lets the server tell which are gone
        standing = set(self._server.search(["UID", ",".join(map(str, uids))]))
        self._listen()
        return sorted(standing & set(uids))

    def _stop_idling(self) -> None:
        if self._idle is not None:
            tag, self._idle = self._idle, None
            self._server.wire.done(tag)
            self._listen()

    def _listen(self) -> None:
        """Notes what the server said beside its answers, which it says once (RFC 3501 section 7.3.1)."""
        said = self._server.wire.untagged_responses
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


def _head(body: bytes) -> bytes:
    end = body.find(b"\r\n\r\n")
    return body[: end + 4] if end >= 0 else body
