"""Watches mailboxes: each new message is in the journal before the position moves past it.

One transaction holds the messages, the position and the watcher's own right to write them, so that
neither a crash nor a watcher that was frozen can skip or double anything. The mailbox itself is only
read.
"""

from __future__ import annotations

import random
import threading
import zlib
from dataclasses import dataclass, replace
from imaplib import IMAP4

from imapclient.exceptions import LoginError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import PortariaError, Unavailable
from core.logs import logger
from core.metrics import ACCEPTED, REPEATED
from intake import journal, lease, sources
from intake.mailbox.adapter import Mailbox
from intake.mailbox.connection import Connection, Fetched
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.troubles import Troubles, words
from intake.sources import LoadedSource
from models.mailbox import MailboxPosition
from models.source import Channel

_LONGEST_WAIT = 30.0
_AFTER_REFUSAL = 60.0
_RENEW_SECONDS = lease.TERM.total_seconds() / 3
#: How long the watchers may take to end with their process.
_LAST_SECONDS = 5.0
#: How often a quiet mailbox notes that it is being watched.
_SEEN_SECONDS = 60.0
ADAPTER = Mailbox()
log = logger(__name__)


class LeaseLost(PortariaError):
    """Another host watches this mailbox now."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a folder has been read. `space` names what the UIDs count in, see `_space`."""

    space: int
    uidvalidity: int
    last_uid: int


class Watcher:
    """Watches one mailbox until it is told to stop."""

    def __init__(self, source: LoadedSource, stop: threading.Event) -> None:
        self.source = source
        self.stop = stop
        self.holder = lease.new_holder()
        self._right = Right(f"mailbox:{source.id}", self.holder, stop)
        self._failures = 0
        self._troubles = Troubles()

    def run(self) -> None:
        """Goes on through everything that may pass; only a refused sign-in makes it wait long."""
        keeper = threading.Thread(target=self._right.keep, name=f"lease of {self.source.key}", daemon=True)
        keeper.start()
        while not self.stop.is_set():
            if self._right.taken.wait(0.5) and not self.stop.is_set():
                self.stop.wait(self._once())
        keeper.join()
        self._right.give_back()

    def _once(self) -> float:
        """Watches as long as it goes; returns after how many seconds to begin anew."""
        try:
            self._watch(self.source.read(MailboxSettings))
        except LeaseLost:
            log.info("mailbox.lease_lost", mailbox=self.source.key)
            return _RENEW_SECONDS
        except LoginError as error:
            log.error("mailbox.sign_in_refused", mailbox=self.source.key, error=str(error))  # noqa: TRY400
            self._note(f"sign-in refused: {error}")
            return _AFTER_REFUSAL
        except (IMAP4.error, OSError, Unavailable) as error:
            return self._interrupted(error)
        except Exception as error:  # a thread that ends would end the mailbox, and nobody would see it
            log.exception("mailbox.failed", mailbox=self.source.key)
            return self._interrupted(error)
        return 0.0

    def _interrupted(self, error: Exception) -> float:
        self._failures += 1
        wait = min(2.0 ** (self._failures - 1), _LONGEST_WAIT) * random.uniform(0.7, 1.0)  # noqa: S311
        said = words(error)
        log.warning("mailbox.interrupted", mailbox=self.source.key, error=said, again_in_seconds=wait)
        self._note(f"interrupted: {said}")
        return wait

    def _watch(self, settings: MailboxSettings) -> None:
        with Connection(settings) as server:
            uidvalidity = server.open()
            position = self._position(settings, uidvalidity)
            looked, noted = float("-inf"), clock.monotonic()
            if not self._failures:
                self._note("watching")
            while not self.stop.is_set():
                if not self._right.held():
                    raise LeaseLost("another host has taken over")
                now = clock.monotonic()
                if server.told or now - looked >= settings.poll_seconds:
                    server.told, looked = False, now
                    position = self._read(server, settings.folder, position)
                if self._failures or now - noted > _SEEN_SECONDS:
                    self._note("watching")
                    self._failures, noted = 0, now
                until_next = max(0.0, looked + settings.poll_seconds - clock.monotonic())
                server.wait(min(_RENEW_SECONDS, until_next), self.stop)

    def _read(self, server: Connection, folder: str, position: Position) -> Position:
        """Journals what is new, in order."""
        for uids in server.news(position.last_uid):
            with self._troubles.noted(uids):
                near = self._troubles.near(uids)
                groups = [[uid] for uid in uids] if near else server.batches(uids)
            for group in groups:
                with self._troubles.noted(group):
                    messages = self._fetched(server, group)
                position = self._store(folder, position, messages)
                if self.stop.is_set():
                    return position
        return position

    def _fetched(self, server: Connection, uids: list[int]) -> list[Fetched]:
        if len(uids) > 1 or (trouble := self._troubles.hopeless(uids[0])) is None:
            return server.fetch(uids)
        # That the headers can be had tells at once that it is the message and not the line.
        head = b"" if self._troubles.untouchable(uids[0]) else server.headers(uids[0])
        log.error("mailbox.message_set_aside", mailbox=self.source.key, uid=uids[0], error=trouble)
        return [Fetched(uids[0], head, {"uid": uids[0], "fetch_error": trouble})]

    def _store(self, folder: str, position: Position, messages: list[Fetched]) -> Position:
        if not messages:
            return position
        settings = self.source.read(MailboxSettings)
        entries = []
        for message in messages:
            delivery = message.delivery(folder, position.uidvalidity, clock.now())
            key = ADAPTER.dedupe_key(delivery, settings)
            if "fetch_error" in message.facts or not message.body:
                key = f"refused:{folder}:{position.uidvalidity}:{message.uid}"
            entries.append(journal.Entry(self.source.id, ADAPTER.name, key, delivery))
        moved = replace(position, last_uid=max(m.uid for m in messages))
        with db.unit_of_work() as session:
            row = _row(session, self.source.id, folder)
            moved_by_another = (row.uidvalidity, row.last_uid) != (position.space, position.last_uid)
            if not self._right.confirm(session) or moved_by_another:
                raise LeaseLost("another host has taken over")
            receipts = journal.append(session, entries)
            row.last_uid = moved.last_uid
        for receipt in receipts:
            (ACCEPTED if receipt.new else REPEATED).labels("email").inc()
        return moved

    def _position(self, settings: MailboxSettings, uidvalidity: int) -> Position:
        """Where to go on; a folder whose UIDs mean something else now is read from its beginning."""
        space = _space(settings, uidvalidity)
        with db.unit_of_work() as session:
            row = _row(session, self.source.id, settings.folder)
            if not self._right.confirm(session):
                raise LeaseLost("another host has taken over")
            if row.uidvalidity != space:
                if row.uidvalidity is not None:
                    log.warning("mailbox.uidvalidity_changed", mailbox=self.source.key)
                row.uidvalidity, row.last_uid = space, 0
                self._troubles = Troubles()
            return Position(space, uidvalidity, row.last_uid)

    def _note(self, state: str) -> None:
        try:
            with db.unit_of_work(durable=False) as session:
                row = _row(session, self.source.id, str(self.source.settings.get("folder", "INBOX")))
                row.state, row.seen_at = state[:500], clock.now()
        except (Unavailable, SQLAlchemyError) as error:
            log.warning("mailbox.state_not_noted", mailbox=self.source.key, error=str(error))


class Right:
    """A watcher's right to its mailbox: a lease, renewed by a thread of its own.

    A fetch may take longer than the lease. Were it renewed between fetches, two hosts would take a
    large message from each other for ever.
    """

    def __init__(self, name: str, holder: str, stop: threading.Event) -> None:
        self.taken = threading.Event()
        self._name = name
        self._holder = holder
        self._stop = stop
        self._until = float("-inf")

    def keep(self) -> None:
        """Takes and renews the lease until told to stop."""
        while not self._stop.is_set():
            began = clock.monotonic()
            try:
                with db.unit_of_work(durable=False) as session:
                    held = self.confirm(session)
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("mailbox.lease_not_renewed", lease=self._name, error=str(error))
                held = self.held()
            else:
                self._until = began + lease.TERM.total_seconds() if held else float("-inf")
            if held:
                self.taken.set()
            else:
                self.taken.clear()
            self._stop.wait(_RENEW_SECONDS if held else 1)

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


def _space(settings: MailboxSettings, uidvalidity: int) -> int:
    """The folder's UIDVALIDITY (32 bits) behind 31 bits for the account.

    Many servers give every inbox the same UIDVALIDITY (Gmail: 1). A mailbox that is pointed at another
    account must not go on at the first one's UID.
    """
    account = f"{settings.address}\n{settings.username}".lower().encode()
    return (zlib.crc32(account) & 0x7FFFFFFF) << 32 | uidvalidity


def _row(session: Session, source_id: int, folder: str) -> MailboxPosition:
    row = session.get(MailboxPosition, (source_id, folder), with_for_update=True)
    if row is None:
        row = MailboxPosition(source_id=source_id, folder=folder, last_uid=0, state="")
        session.add(row)
        session.flush()
    return row


def watch_all(stop: threading.Event) -> None:
    """Keeps one watcher for each mailbox of the workspace, and follows its changes, until told to stop."""
    running: dict[int, _Running] = {}
    ending: list[_Running] = []
    while not stop.is_set():
        try:
            wanted = {s.id: s for s in sources.book().of(Channel.EMAIL)}
        except Unavailable as error:
            log.warning("mailboxes.database_unavailable", error=str(error))
            stop.wait(1)
            continue
        for source_id, one in list(running.items()):
            if not (one.thread.is_alive() and _same(one.source, wanted.get(source_id))):
                # Who follows it waits for its lease; nobody else has to wait.
                one.stop.set()
                ending.append(running.pop(source_id))
        ending = [one for one in ending if one.thread.is_alive()]
        for source_id, source in wanted.items():
            if source_id not in running:
                running[source_id] = _Running(source)
        stop.wait(0.5)
    ending += running.values()
    for one in ending:
        one.stop.set()
    end = clock.monotonic() + _LAST_SECONDS
    for one in ending:
        one.thread.join(max(0.0, end - clock.monotonic()))


class _Running:
    def __init__(self, source: LoadedSource) -> None:
        self.source = source
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=Watcher(source, self.stop).run, name=f"mailbox {source.key}", daemon=True
        )
        self.thread.start()


def _same(before: LoadedSource, now: LoadedSource | None) -> bool:
    return now is not None and (before.settings, before.problem) == (now.settings, now.problem)
