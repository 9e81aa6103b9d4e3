"""Watches mailboxes: each new message is in the journal before the position moves past it.

One transaction holds the messages, the position and the watcher's own right to write them, so that
neither a crash nor a watcher that was frozen can skip or double anything. The mailbox itself is only
read.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from imaplib import IMAP4

from imapclient.exceptions import IMAPClientError, LoginError
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import PortariaError, Unavailable
from core.logs import logger
from core.metrics import ACCEPTED, REPEATED
from intake import journal, lease, sources
from intake.mailbox.adapter import Mailbox
from intake.mailbox.connection import Connection, Fetched
from intake.mailbox.settings import MailboxSettings
from intake.sources import LoadedSource
from models.mailbox import MailboxPosition
from models.source import Channel

#: What a mail server's end of the line may raise; all of it may pass.
TRANSIENT = (IMAPClientError, IMAP4.error, OSError, Unavailable)
_LONGEST_WAIT = 30.0
_AFTER_REFUSAL = 60.0
_SOON = 1.0
_RENEW_SECONDS = lease.TERM.total_seconds() / 3
#: A message that could not be fetched alone so often is set aside, visible as failed.
_MOST_FETCHES = 3
ADAPTER = Mailbox()
log = logger(__name__)


class LeaseLost(PortariaError):
    """Another host watches this mailbox now."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a folder has been read."""

    uidvalidity: int | None
    last_uid: int


class Watcher:
    """Watches one mailbox until it is told to stop."""

    def __init__(self, source: LoadedSource, stop: threading.Event) -> None:
        self.source = source
        self.stop = stop
        self.holder = lease.new_holder()
        self._renewed = float("-inf")
        self._refusals: dict[int, int] = {}

    def run(self) -> None:
        """Goes on through everything that may pass; only a refused sign-in makes it wait long."""
        failures = 0
        while not self.stop.is_set():
            try:
                settings = self.source.read(MailboxSettings)
                if not self._renew():
                    self.stop.wait(1)
                    continue
                self._watch(settings)
                failures = 0
            except LeaseLost:
                self.stop.wait(1)
            except LoginError as error:
                log.error("mailbox.sign_in_refused", mailbox=self.source.key, error=str(error))  # noqa: TRY400
                self._note(f"sign-in refused: {error}")
                self._wait(_AFTER_REFUSAL)
            except TRANSIENT as error:
                failures += 1
                wait = min(2.0 ** (failures - 1), _LONGEST_WAIT) * random.uniform(0.7, 1.0)  # noqa: S311
                log.warning(
                    "mailbox.interrupted", mailbox=self.source.key, error=str(error), again_in_seconds=wait
                )
                self._note(f"interrupted: {error}")
                self._wait(wait)
        self._give_back()

    def _watch(self, settings: MailboxSettings) -> None:
        with Connection(settings) as server:
            uidvalidity = server.open()
            position = self._position(settings.folder, uidvalidity)
            self._note("watching")
            looked, wait = float("-inf"), 0.0
            while not self.stop.is_set():
                if not self._renew():
                    raise LeaseLost("another host has taken over")
                if server.told or clock.monotonic() - looked >= wait:
                    server.told = False
                    looked = clock.monotonic()
                    before, position = position, self._read(server, settings.folder, position)
                    # A message that came while we read may have been announced in an answer to us
                    # and then is not announced again: look once more before trusting the server.
                    wait = _SOON if position != before else settings.poll_seconds
                server.wait(min(_RENEW_SECONDS, wait), self.stop)

    def _read(self, server: Connection, folder: str, position: Position) -> Position:
        """Journals what is new, in order; a message that cannot be had is tried alone, then set aside."""
        for batch in server.batches(position.last_uid):
            try:
                messages = server.fetch(batch)
            except (IMAPClientError, IMAP4.error, OSError) as error:
                if len(batch) > 1 and not isinstance(error, OSError | IMAP4.abort):
                    for uid in batch:
                        position = self._store(folder, position, self._alone(server, uid))
                    continue
                if (placeholder := self._refused(batch[0], error)) is None:
                    raise
                messages = [placeholder]
            position = self._store(folder, position, messages)
            if self.stop.is_set():
                break
        return position

    def _alone(self, server: Connection, uid: int) -> list[Fetched]:
        try:
            return server.fetch([uid])
        except IMAPClientError as error:
            if (placeholder := self._refused(uid, error)) is None:
                raise
            return [placeholder]

    def _refused(self, uid: int, error: Exception) -> Fetched | None:
        """Counts a failed fetch; after some, what stands in the message's place."""
        self._refusals[uid] = self._refusals.get(uid, 0) + 1
        if self._refusals[uid] < _MOST_FETCHES:
            return None
        log.error("mailbox.message_refused", mailbox=self.source.key, uid=uid, error=str(error))
        return Fetched(uid, b"", {"uid": uid, "fetch_error": f"{type(error).__name__}: {error}"[:300]})

    def _store(self, folder: str, position: Position, messages: list[Fetched]) -> Position:
        if not messages:
            return position
        settings = self.source.read(MailboxSettings)
        entries = []
        for message in messages:
            delivery = message.delivery(folder, position.uidvalidity, clock.now())
            key = ADAPTER.dedupe_key(delivery, settings)
            if not message.body:
                key = f"refused:{folder}:{position.uidvalidity}:{message.uid}"
            entries.append(journal.Entry(self.source.id, ADAPTER.name, key, delivery))
        moved = Position(position.uidvalidity, max(m.uid for m in messages))
        with db.unit_of_work() as session:
            if lease.hold(session, self._lease, self.holder) is None:
                raise LeaseLost("another host has taken over")
            receipts = journal.append(session, entries)
            _row(session, self.source.id, folder).last_uid = moved.last_uid
        for receipt in receipts:
            (ACCEPTED if receipt.new else REPEATED).labels("email").inc()
        return moved

    def _position(self, folder: str, uidvalidity: int) -> Position:
        """Where to go on; a folder whose UIDs mean something else now is read from its beginning."""
        with db.unit_of_work() as session:
            row = _row(session, self.source.id, folder)
            if row.uidvalidity != uidvalidity:
                if row.uidvalidity is not None:
                    log.warning("mailbox.uidvalidity_changed", mailbox=self.source.key)
                row.uidvalidity, row.last_uid = uidvalidity, 0
            return Position(uidvalidity, row.last_uid)

    @property
    def _lease(self) -> str:
        return f"mailbox:{self.source.id}"

    def _renew(self) -> bool:
        if clock.monotonic() - self._renewed < _RENEW_SECONDS:
            return True
        with db.unit_of_work(durable=False) as session:
            held = lease.hold(session, self._lease, self.holder) is not None
        self._renewed = clock.monotonic() if held else float("-inf")
        return held

    def _wait(self, seconds: float) -> None:
        """Waits, and stays the one who watches meanwhile."""
        end = clock.monotonic() + seconds
        while not self.stop.wait(min(_RENEW_SECONDS, max(0.0, end - clock.monotonic()))):
            if clock.monotonic() >= end:
                return
            try:
                self._renew()
            except Unavailable:
                continue

    def _note(self, state: str) -> None:
        try:
            with db.unit_of_work(durable=False) as session:
                row = _row(session, self.source.id, self.source.settings.get("folder", "INBOX"))
                row.state, row.seen_at = state[:500], clock.now()
        except Unavailable:
            log.warning("mailbox.state_not_noted", mailbox=self.source.key)

    def _give_back(self) -> None:
        try:
            with db.unit_of_work(durable=False) as session:
                lease.release(session, self._lease, self.holder)
        except Unavailable:
            log.warning("mailbox.lease_not_given_back", mailbox=self.source.key)


def _row(session: Session, source_id: int, folder: str) -> MailboxPosition:
    row = session.get(MailboxPosition, (source_id, folder), with_for_update=True)
    if row is None:
        row = MailboxPosition(source_id=source_id, folder=folder, last_uid=0, state="")
        session.add(row)
        session.flush()
    return row


def watch_all(stop: threading.Event) -> None:
    """Keeps one watcher for each mailbox of the workspace, and follows its changes, until told to stop."""
    running: dict[int, tuple[LoadedSource, threading.Event, threading.Thread]] = {}
    while not stop.is_set():
        try:
            wanted = {s.id: s for s in sources.book().of(Channel.EMAIL)}
        except Unavailable as error:
            log.warning("mailboxes.database_unavailable", error=str(error))
            stop.wait(1)
            continue
        for source_id, (known, ended, thread) in list(running.items()):
            source = wanted.get(source_id)
            if source is None or source.settings != known.settings or not thread.is_alive():
                ended.set()
                thread.join(10)
                del running[source_id]
        for source_id, source in wanted.items():
            if source_id not in running:
                ended = threading.Event()
                thread = threading.Thread(
                    target=Watcher(source, ended).run, name=f"mailbox {source.key}", daemon=True
                )
                thread.start()
                running[source_id] = (source, ended, thread)
        stop.wait(0.5)
    for _, ended, _ in running.values():
        ended.set()
    for _, _, thread in running.values():
        thread.join(5)
