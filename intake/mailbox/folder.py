"""Watches one folder: each new message is in the journal before the position moves past it.

One transaction holds the messages, the position and the watcher's own right to write them, so that
neither a crash nor a watcher that was frozen can skip or double anything.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from imaplib import IMAP4
from typing import Protocol

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Unavailable
from core.logs import logger
from core.metrics import ACCEPTED, REPEATED
from core.settings import settings as service
from intake import journal
from intake.mailbox import acts, desk, fetching, position, reconciliation
from intake.mailbox.adapter import Mailbox
from intake.mailbox.connection import GAP, Connection, Stop
from intake.mailbox.fetching import Fetched
from intake.mailbox.fingerprint import fingerprint, older
from intake.mailbox.position import Position
from intake.mailbox.right import RENEW_SECONDS, LeaseLost, Right
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.sign_in import Token
from intake.mailbox.troubles import Troubles, words

_LONGEST_WAIT = 30.0
#: How often a quiet folder notes that it is being watched.
_SEEN_SECONDS = 60.0
#: How often it looks whether its folder is still the one of that name.
_SAME_SECONDS = 30.0
_MOST_KNOWN = 5000
#: More messages than these do not come at one moment: they have waited on the server.
_MOST_AT_ONCE = 10
log = logger(__name__)


class Notes(Protocol):
    """Where a folder's watcher says how it stands, and hears what is wanted of it."""

    def say(self, folder: str, state: str, error: str = "") -> bool:
        """Notes it; False where the database cannot be reached."""

    def reconciliation_asked(self) -> datetime | None:
        """When it was asked for last."""


class FolderWatcher:
    """Watches one folder of a mailbox until `over`."""

    def __init__(
        self,
        source_id: int,
        folder: str,
        settings: MailboxSettings,
        *,
        right: Right,
        over: Stop,
        notes: Notes,
        token: Token | None,
    ) -> None:
        self.folder = folder
        self.source_id = source_id
        self.settings = settings
        self.right = right
        self._over = over
        self._notes = notes
        self._token = token
        self._failures = 0
        self._troubles = Troubles()
        self._known: set[int] = set()
        self._reconciled_at: datetime | None = None

    def run(self) -> None:
        """Goes on through all that may pass. Raises LeaseLost, and LoginError for a refused sign-in."""
        while not self._over.is_set():
            try:
                self._watch()
            except (LeaseLost, LoginError):
                raise
            except (IMAP4.error, OSError, Unavailable) as error:
                self._over.wait(self._interrupted(error))
            except Exception as error:  # a thread that ends would end the folder, and nobody would see it
                wait = self._interrupted(error)  # noted before a long traceback is written
                log.exception("mailbox.failed", mailbox=self.settings.key, folder=self.folder)
                self._over.wait(wait)

    def _interrupted(self, error: Exception) -> float:
        self._failures += 1
        # Bounded first: an outage of some hours is more failures than a float has powers of two.
        wait = min(2.0 ** min(self._failures - 1, 10), _LONGEST_WAIT) * random.uniform(0.7, 1.0)  # noqa: S311
        said = words(error)
        log.warning(
            "mailbox.interrupted",
            mailbox=self.settings.key,
            folder=self.folder,
            error=said,
            again_in_seconds=wait,
        )
        self._notes.say(self.folder, desk.INTERRUPTED, said)
        return wait

    def _watch(self) -> None:
        with Connection(self.settings, self.folder, self._token) as server:
            place = self._settled(server)
            looked, opened = float("-inf"), clock.monotonic()
            noted = opened
            if not self._failures:
                self._notes.say(self.folder, desk.WATCHING)
            self._act(server, place)
            while not self._over.is_set():
                if not self.right.held():
                    raise LeaseLost("another host has taken over")
                now = clock.monotonic()
                if now - opened >= _SAME_SECONDS:
                    opened = now
                    self._still_the_same(server, place)
                if server.told or now - looked >= self.settings.poll_seconds:
                    server.told, looked = False, now
                    place = self._read(server, place)
                    if self.settings.after:
                        self._act(server, place)
                if (self._failures or now - noted > _SEEN_SECONDS) and self._notes.say(
                    self.folder, desk.WATCHING
                ):
                    self._failures, noted = 0, now
                self._reconcile(server, place)
                until_next = max(0.0, looked + self.settings.poll_seconds - clock.monotonic())
                server.wait(min(RENEW_SECONDS, until_next), self._over)

    def _settled(self, server: Connection) -> Position:
        """Where to go on."""
        found = server.open()
        with db.unit_of_work() as session:
            self._confirm(session)
            place, goes_on = position.settle(session, self.source_id, self.folder, self.settings, found)
            self._known = position.known(session, self.source_id, place, place.last_uid - GAP - 1)
            row = position.row_of(session, self.source_id, self.folder)
            self._reconciled_at = row.reconciled_at
        if not goes_on:
            self._troubles = Troubles()
        return place

    def _confirm(self, session: Session) -> None:
        if not self.right.confirm(session):
            raise LeaseLost("another host has taken over")

    def _read(self, server: Connection, place: Position) -> Position:
        """Journals what is new, in order."""
        for uids in server.news(place, self._known):
            place, _ = self.take(server, place, uids, late=len(uids) > _MOST_AT_ONCE)
            if self._over.is_set():
                return place
        if place.last_uid < place.history_uid:  # what was there before us, and does not count, is passed
            place = self._store(place, [], up_to=place.history_uid)[0]
        return place

    def take(
        self, server: Connection, place: Position, uids: list[int], *, late: bool
    ) -> tuple[Position, int]:
        """Journals these; says where we are then, and how many were new to the journal.

        `late` ones let go before them whatever comes just now.
        """
        new = 0
        with self._troubles.noted(uids):
            near = self._troubles.near(uids)
            groups = [[uid] for uid in uids] if near else server.batches(uids)
        for group in groups:
            with self._troubles.noted(group):
                messages = self._fetched(server, group)
            place, made = self._store(place, messages, late=late)
            new += made
            if self._over.is_set():
                break
        return place, new

    def _fetched(self, server: Connection, uids: list[int]) -> list[Fetched]:
        if len(uids) > 1 or (trouble := self._troubles.hopeless(uids[0])) is None:
            return server.fetch(uids)
        # That the headers can be had tells at once that it is the message and not the line.
        untouchable = self._troubles.untouchable(uids[0])
        head = b"" if untouchable else fetching.headers(server.server, uids[0], service().max_mail_bytes)
        log.error("mailbox.message_set_aside", mailbox=self.settings.key, uid=uids[0], error=trouble)
        return [Fetched(uids[0], head, {"uid": uids[0], "fetch_error": trouble})]

    def _store(
        self, place: Position, messages: list[Fetched], *, up_to: int = 0, late: bool = False
    ) -> tuple[Position, int]:
        if not messages and not up_to:
            return place, 0
        moved = replace(place, last_uid=max(place.last_uid, up_to, *(m.uid for m in messages)))
        entries = [self._entry(place, message, late) for message in messages]
        with db.unit_of_work() as session:
            row = position.row_of(session, self.source_id, self.folder)
            moved_by_another = (row.uidvalidity, row.last_uid) != (place.space, place.last_uid)
            self._confirm(session)
            if moved_by_another:
                raise LeaseLost("another host has taken over")
            receipts = journal.append(session, entries)
            row.last_uid = moved.last_uid
            events = {m.uid: r.event_id for m, r in zip(messages, receipts, strict=True)}
            wanted = {m.uid: acts.wanted(self.settings.after, m) for m in messages}
            to_do = {uid: act for uid, act in wanted.items() if act is not None}
            position.remember(session, self.source_id, moved, events, to_do)
            if any(receipt.new for receipt in receipts):
                desk.row_of(session, self.source_id).last_message_at = clock.now()
        self._known.update(events)
        if len(self._known) > _MOST_KNOWN:
            self._known = {uid for uid in self._known if uid >= moved.last_uid - GAP}
        for receipt in receipts:
            (ACCEPTED if receipt.new else REPEATED).labels("email").inc()
        return moved, sum(receipt.new for receipt in receipts)

    def _entry(self, place: Position, message: Fetched, late: bool) -> journal.Entry:
        delivery = message.delivery(self.folder, place.uidvalidity, clock.now())
        if "fetch_error" in message.facts or not message.body:
            key = f"refused:{self.folder}:{place.uidvalidity}:{message.uid}"
            return journal.Entry(self.source_id, Mailbox.name, key, delivery, late=late)
        key, again = fingerprint(message.body), older(message.body)
        return journal.Entry(self.source_id, Mailbox.name, key, delivery, again=again, late=late)

    def _act(self, server: Connection, place: Position) -> None:
        """Does with what is journalled what the workspace wants; what is refused is tried again later."""
        with db.unit_of_work(durable=False) as session:
            uids = position.to_do(session, self.source_id, place, self.settings.after)
        if not uids or self.settings.after is None:
            return
        server.quiet()
        try:
            acts.do(server.server, uids, self.settings.after)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            log.warning("mailbox.act_refused", mailbox=self.settings.key, error=words(error))
            self._notes.say(
                self.folder, desk.WATCHING, f"'{self.settings.after}' was refused: {words(error)}"
            )
            return
        with db.unit_of_work(durable=False) as session:
            position.done(session, self.source_id, place, uids)

    def _still_the_same(self, server: Connection, place: Position) -> None:
        """Opens the folder anew: a connection may stay with one that was renamed, and hear nothing of another
        that was made in its place."""
        if server.open().uidvalidity != place.uidvalidity:
            raise IMAPClientAbortError("the folder has another UIDVALIDITY")  # begins anew, from its start

    def _reconcile(self, server: Connection, place: Position) -> None:
        """Where it was asked for: compares what the server holds with the journal, fetches the rest."""
        asked = self._notes.reconciliation_asked()
        if asked is None or (self._reconciled_at is not None and self._reconciled_at >= asked):
            return
        self._still_the_same(server, place)
        with db.reading() as session:
            known = position.known(session, self.source_id, place)
        found = reconciliation.compare(server, place, known)
        missed, failed = 0, 0
        for uid in sorted(found.missing):
            try:
                missed += self.take(server, place, [uid], late=True)[1]
            except IMAPClientAbortError:
                raise
            except IMAPClientError:
                failed += 1  # it is tried again with the next comparison
        with db.unit_of_work() as session:
            position.forget(session, self.source_id, place, found.gone)
            row = position.row_of(session, self.source_id, self.folder)
            row.reconciled_at = self._reconciled_at = clock.now()
            row.reconciliation = found.report(
                journalled=position.journalled(session, self.source_id, place), missed=missed, failed=failed
            )
        if missed:
            log.warning("mailbox.missed", mailbox=self.settings.key, folder=self.folder, missed=missed)
