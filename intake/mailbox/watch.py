"""Watches mailboxes: one watcher each, under a lease, with a connection for each of its folders."""

from __future__ import annotations

import threading
from datetime import datetime

from imapclient.exceptions import IMAPClientAbortError, LoginError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Unavailable
from core.logs import logger
from intake import lease, sources
from intake.mailbox import desk, position
from intake.mailbox.folder import FolderWatcher
from intake.mailbox.right import RENEW_SECONDS, LeaseLost, Right
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.tokens import Tokens
from intake.mailbox.troubles import words
from intake.sources import LoadedSource
from models.mailbox import WatchedMailbox
from models.source import Channel

#: How long the watchers may take to end with their process.
_LAST_SECONDS = 5.0
_LOOK_SECONDS = 0.1
log = logger(__name__)


class Ending:
    """Is set when one of several events is."""

    def __init__(self, *events: threading.Event) -> None:
        self._events = events

    def is_set(self) -> bool:
        """Whether it is time to end."""
        return any(event.is_set() for event in self._events)

    def wait(self, timeout: float) -> bool:
        """Until it is, at most so many seconds."""
        end = clock.monotonic() + timeout
        while not self.is_set() and (rest := end - clock.monotonic()) > 0:
            self._events[0].wait(min(rest, _LOOK_SECONDS))
        return self.is_set()


class Watcher:
    """Watches one mailbox until it is told to stop. Only a refused sign-in makes it wait for somebody."""

    def __init__(self, source: LoadedSource, stop: threading.Event) -> None:
        self.source = source
        self.stop = stop
        self.holder = lease.new_holder()
        self._right = Right(f"mailbox:{source.id}", self.holder, stop, self._hear)
        self._asked: datetime | None = None
        self._woken: datetime | None = None
        self._states: dict[str, tuple[str, str]] = {}
        self._noting = threading.Lock()

    def run(self) -> None:
        """Keeps the lease, and watches while it is held."""
        keeper = threading.Thread(target=self._right.keep, name=f"lease of {self.source.key}", daemon=True)
        keeper.start()
        while not self.stop.is_set():
            if self._right.taken.wait(0.5) and not self.stop.is_set():
                try:
                    self._hold(self.source.read(MailboxSettings))
                except LeaseLost:
                    log.info("mailbox.lease_lost", mailbox=self.source.key)
                    self.stop.wait(RENEW_SECONDS)
                except LoginError as error:
                    self._stopped(f"sign-in refused: {words(error)}")
                except Unavailable as error:  # its settings cannot be read: others make another watcher
                    self._stopped(str(error))
        keeper.join()
        self._right.give_back()

    def _hold(self, settings: MailboxSettings) -> None:
        """Watches all folders. Raises what ended the watching of one, once all have ended."""
        over = threading.Event()
        ending = Ending(self.stop, over)
        tokens = Tokens(self.source.id, settings.oauth) if settings.oauth is not None else None
        self._states = {}
        failures: list[Exception] = []

        def watch(folder: str) -> None:
            watcher = FolderWatcher(
                self.source.id,
                folder,
                settings,
                right=self._right,
                over=ending,
                notes=self,
                token=tokens.get if tokens is not None else None,
            )
            try:
                watcher.run()
            except Exception as error:  # noqa: BLE001  told by whoever waits for all of them
                failures.append(error)
            finally:
                over.set()

        threads = [
            threading.Thread(target=watch, args=(folder,), name=f"{self.source.key} {folder}", daemon=True)
            for folder in settings.watched
        ]
        for thread in threads:
            thread.start()
        while tokens is not None and not ending.wait(60):
            try:
                tokens.keep()
            except LoginError as error:
                failures.append(error)
                over.set()
            except (IMAPClientAbortError, Unavailable) as error:
                log.warning("mailbox.grant_not_renewed", mailbox=self.source.key, error=words(error))
        for thread in threads:
            thread.join()
        for failure in sorted(failures, key=lambda f: not isinstance(f, LoginError)):
            raise failure

    def _stopped(self, error: str) -> None:
        """Says so, and waits until somebody asks for another try; other settings make another watcher."""
        log.error("mailbox.stopped", mailbox=self.source.key, error=error)
        self._states = {}
        self._note("", desk.STOPPED, error)
        stopped_at = clock.now()
        while not self.stop.is_set() and self._right.held():
            if self._woken is not None and self._woken > stopped_at:
                return
            self.stop.wait(_LOOK_SECONDS)

    def _hear(self, session: Session) -> None:
        """What is asked of us; with each renewal of the lease."""
        row = session.get(WatchedMailbox, self.source.id)
        if row is not None:
            self._asked, self._woken = row.reconcile_asked_at, row.wake_asked_at

    def reconciliation_asked(self) -> datetime | None:
        """When it was asked for last."""
        return self._asked

    def say(self, folder: str, state: str, error: str = "") -> bool:
        """Notes how a folder stands, and the mailbox with it; False where it could not be noted."""
        return self._note(folder, state, error)

    def _note(self, folder: str, state: str, error: str) -> bool:
        with self._noting:
            self._states[folder] = (state, error)
            worst = min(self._states.items(), key=lambda s: (s[1][0] == desk.WATCHING, s[1][1] == ""))
            of_all = (worst[1][0], worst[1][1])
        try:
            with db.unit_of_work(durable=False) as session:
                if folder:
                    row = position.row_of(session, self.source.id, folder)
                    told = state if state == desk.WATCHING and not error else error
                    row.state = (f"{state}: {told}" if state != desk.WATCHING else told)[:500]
                    row.seen_at = clock.now()
                desk.note(session, self.source.id, *of_all)
        except (Unavailable, SQLAlchemyError) as failed:
            log.warning("mailbox.state_not_noted", mailbox=self.source.key, error=str(failed))
            return False
        return True


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
