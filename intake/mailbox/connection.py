"""One connection to an IMAP server (RFC 3501, RFC 2177), bounded in time; it only reads."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError

from core import clock
from core.settings import settings as service
from intake.delivery import Delivery
from intake.mailbox.settings import MailboxSettings

_TIMEOUT = SocketTimeout(connect=10, read=30)
#: A server may end an idle connection after 30 minutes (RFC 2177); many routers do so after 10.
_IDLE_SECONDS = 5 * 60
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
        self._idling_since: float | None = None
        self._can_idle = False
        self._sizes: dict[int, int] = {}
        self.told = True

    def __enter__(self) -> Self:
        mailbox = self._settings
        host, port = mailbox.address
        tls = ssl.create_default_context()
        self._server = IMAPClient(
            host, port, ssl=mailbox.security == "tls", ssl_context=tls, timeout=_TIMEOUT, use_uid=True
        )
        try:
            if mailbox.security == "starttls":
                self._server.starttls(tls)
            self._server.login(mailbox.username, mailbox.password.get_secret_value())
        except BaseException:
            self._server.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._stop_idling()
                self._server.logout()
            else:
                self._server.shutdown()
        except (IMAPClientError, OSError):
            pass  # the connection is being given up anyway

    def open(self) -> int:
        """Opens the folder for reading only and returns its UIDVALIDITY."""
        self._can_idle = self._server.has_capability("IDLE")
        return int(self._server.select_folder(self._settings.folder, readonly=True)[b"UIDVALIDITY"])

    def batches(self, after: int) -> Iterator[list[int]]:
        """The UIDs above `after`, in order, in groups that are not too large to hold."""
        self._stop_idling()
        # 'n:*' names the last message even where its UID is below n (RFC 3501 section 6.4.8).
        uids = sorted(uid for uid in self._server.search(["UID", f"{after + 1}:*"]) if uid > after)
        for start in range(0, len(uids), _MOST_IN_BATCH):
            chunk = uids[start : start + _MOST_IN_BATCH]
            found = self._server.fetch(chunk, ["RFC822.SIZE"])
            self._sizes = {uid: int(found.get(uid, {}).get(b"RFC822.SIZE", 0)) for uid in chunk}
            batch: list[int] = []
            size = 0
            for uid in chunk:
                if batch and size + self._sizes[uid] > _BATCH_BYTES:
                    yield batch
                    batch, size = [], 0
                batch.append(uid)
                size += min(self._sizes[uid], service().max_mail_bytes)
            yield batch

    def fetch(self, uids: list[int]) -> list[Fetched]:
        """The messages, unread as they were; of one that is too large only its headers.

        A message that was deleted meanwhile is left out.
        """
        most = service().max_mail_bytes
        whole = [uid for uid in uids if self._sizes.get(uid, 0) <= most]
        large = [uid for uid in uids if uid not in whole]
        found = dict(self._server.fetch(whole, ["BODY.PEEK[]", "INTERNALDATE"])) if whole else {}
        if large:
            found |= self._server.fetch(large, ["BODY.PEEK[HEADER]", "INTERNALDATE"])
        messages = []
        for uid in uids:
            data = found.get(uid, {})
            body = data.get(b"BODY[HEADER]" if uid in large else b"BODY[]")
            if body is None:
                continue
            facts: dict[str, Any] = {"uid": uid}
            if isinstance(data.get(b"INTERNALDATE"), datetime):
                facts["internaldate"] = data[b"INTERNALDATE"].isoformat()
            if uid in large:
                facts |= {"truncated": True, "size": self._sizes[uid]}
            messages.append(Fetched(uid, bytes(body), facts))
        return messages

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Waits for news from the server, or only for the time where it cannot tell."""
        if not self._can_idle:
            stop.wait(seconds)
            return
        if self._idling_since is not None and clock.monotonic() - self._idling_since > _IDLE_SECONDS:
            self._stop_idling()
        if self._idling_since is None:
            self._server.idle()
            self._idling_since = clock.monotonic()
        if _has_news(self._server.idle_check(timeout=seconds)):
            self.told = True

    def _stop_idling(self) -> None:
        if self._idling_since is not None:
            self._idling_since = None
            _, said = self._server.idle_done()
            # What was said in the last moment must not be lost.
            self.told = self.told or _has_news(said)


def _has_news(said: Sequence[Any]) -> bool:
    return any(
        isinstance(line, tuple) and len(line) > 1 and line[1] in (b"EXISTS", b"RECENT") for line in said
    )
