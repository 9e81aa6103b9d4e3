"""The database: one engine, one place where transactions begin and end.

SQLite lets one process write at a time, and its own waiting is a sleep that grows: with many writers
the tail reaches half a second. So writers queue on file locks first, which the kernel hands over at
once, and never meet SQLite's own. The queue is a turnstile before the turn: whoever comes out of it is
next, so that a busy worker cannot keep the door waiting for more than one of its transactions.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from core import clock, queue
from core.errors import Unavailable
from core.fair_lock import FairLock
from core.liveness import look_at_what_is_handed_out

_BUSY_MS = 10_000


class Database:
    """An engine with its two kinds of session.

    `pool` bounds the connections of this process.
    """

    def __init__(self, url: str, *, pool: int = 20) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._one_of_us = FairLock()
        self._locks: tuple[int, ...] = ()
        if self.is_sqlite:
            self.engine = self._sqlite()
        else:
            self.engine = create_engine(
                self.url,
                hide_parameters=True,  # an error's words must not carry a person's data into the log
                pool_size=pool,
                max_overflow=0,
                pool_timeout=5,
                connect_args={"connect_timeout": 5, "options": "-c timezone=utc -c lock_timeout=10s"},
            )
            look_at_what_is_handed_out(self.engine)
        writing = self.engine.execution_options(portaria_writes=True)
        self._single = (
            writing if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        self._writing = sessionmaker(writing, expire_on_commit=False)
        self._reading = sessionmaker(self.engine, expire_on_commit=False, info={"reading": True})

    def _sqlite(self) -> Engine:
        path = Path(self.url.database or "")
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._locks = tuple(os.open(f"{path}.{name}", flags, 0o600) for name in ("turnstile", "turn"))
        engine = create_engine(self.url, hide_parameters=True, pool_size=64, max_overflow=64)

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _: Any) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves, below
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            cursor.close()

        @event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            writes = connection.get_execution_options().get("portaria_writes", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    @contextmanager
    def _writers_turn(self, patience: float | None) -> Iterator[None]:
        if not self._locks:
            yield
            return
        turnstile, turn = self._locks
        until = None if patience is None else clock.monotonic() + patience
        if not self._one_of_us.acquire(timeout=-1 if patience is None else patience):
            raise Unavailable("the database is busy")
        try:
            _lock(turnstile, until)
            try:
                _lock(turn, until)
            finally:
                fcntl.flock(turnstile, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(turn, fcntl.LOCK_UN)
        finally:
            self._one_of_us.release()

    @contextmanager
    def unit_of_work(self, *, durable: bool = True, patience: float | None = None) -> Iterator[Session]:
        """One transaction that may write: commits at the end of the block, rolls back on an exception.

        What was said to `queue.wake` inside is rung after the commit. `durable=False` lets
        PostgreSQL answer before the write reached the disk, for what a crash may forget. `patience` is how
        many seconds it may wait for other writers.
        Raises Unavailable when the database does not answer, or not in that time.
        """
        with translated(), self._writers_turn(patience), self._writing.begin() as session:
            if not durable and not self.is_sqlite:
                session.connection().exec_driver_sql("SET LOCAL synchronous_commit = off")
            if patience is not None and not self.is_sqlite:
                session.execute(text(f"SET LOCAL lock_timeout = {max(1, round(patience * 1000))}"))
            yield session
            wakes = queue.taken(session)
        queue.ring(wakes)

    @contextmanager
    def single(self) -> Iterator[Connection]:
        """A connection for one statement, which is a transaction by itself: asked and answered in one go.

        Raises Unavailable when the database does not answer.
        """
        with translated(), self._writers_turn(None), self._single.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One snapshot that only reads.

        Raises Unavailable when the database does not answer.
        """
        with translated(), self._reading() as session:
            yield session

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()
        for lock in self._locks:
            os.close(lock)
        self._locks = ()


def _lock(file: int, until: float | None) -> None:
    if until is None:
        fcntl.flock(file, fcntl.LOCK_EX)
        return
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() > until:
                raise Unavailable("the database is busy") from None
            time.sleep(0.001)
        else:
            return


@contextmanager
def translated() -> Iterator[None]:
    """Turns 'the database is not there' into Unavailable; other errors pass unchanged."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable(f"the database does not answer: {type(error).__name__}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("the connection to the database was lost") from error
        raise


_current: Database | None = None


def configure(url: str, *, pool: int = 20) -> Database:
    """Sets the database of this process."""
    global _current
    _current = Database(url, pool=pool)
    return _current


def database() -> Database:
    """The database of this process."""
    if _current is None:
        raise RuntimeError("core.db.configure() comes first")
    return _current


@contextmanager
def unit_of_work(*, durable: bool = True, patience: float | None = None) -> Iterator[Session]:
    """`Database.unit_of_work` of this process's database."""
    with database().unit_of_work(durable=durable, patience=patience) as session:
        yield session


@contextmanager
def single() -> Iterator[Connection]:
    """`Database.single` of this process's database."""
    with database().single() as connection:
        yield connection


@contextmanager
def reading() -> Iterator[Session]:
    """`Database.reading` of this process's database."""
    with database().reading() as session:
        yield session
