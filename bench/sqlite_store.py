"""The embedded database, in the service's own folder."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bench import limits
from bench.store import share


class Sqlite:
    """See `Store`."""

    name = "SQLite"

    def __init__(self) -> None:
        self._folder = Path()
        self._reader: sqlite3.Connection | None = None

    def environment(self) -> dict[str, str]:
        """Nothing: it is what the service uses by itself."""
        return {}

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[None]:
        """The folder; the service makes the file."""
        folder.mkdir(parents=True)
        self._folder = folder
        try:
            yield
        finally:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def url(self) -> str:
        """Its address, as SQLAlchemy writes it."""
        return f"sqlite:///{self._folder / 'portaria.db'}"

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Asks it, opened to be read only."""
        if self._reader is None:
            file = f"file:{self._folder / 'portaria.db'}?mode=ro"
            self._reader = sqlite3.connect(file, uri=True, isolation_level=None, timeout=10)
        return self._reader.execute(query, values).fetchall()

    def commits(self, seconds: float, rows: int, *, pause: float = 0.0) -> limits.Loop:
        """In a file of its own on the same disk."""
        return limits.sqlite_commits(self._folder, seconds, rows, pause=pause)

    def replay(self, tables: dict[str, int]) -> float:
        """In a file of its own with the same tables and indexes."""
        journal = self.rows("SELECT * FROM inbound_events ORDER BY id")
        copied = {
            table: self.rows(f"SELECT * FROM {table} ORDER BY rowid LIMIT -1 OFFSET ?", before)
            for table, before in tables.items()
        }
        schema = self.rows("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        with closing(limits.connect(self._folder / "again.db")) as connection:
            for (sql,) in schema:
                connection.execute(sql)
            with _transaction(connection):
                _insert(connection, "inbound_events", journal)
                connection.execute("UPDATE inbound_events SET state = 'received', processed_at = NULL")
            begin = time.perf_counter()
            for number, event in enumerate(journal):
                with _transaction(connection):
                    connection.execute("UPDATE inbound_events SET attempts = 1 WHERE id = ?", event[:1])
                with _transaction(connection):
                    for table, rows in copied.items():
                        _insert(connection, table, share(rows, number, len(journal)))
                    connection.execute(
                        "UPDATE inbound_events SET state = 'processed', processed_at = received_at"
                        " WHERE id = ?",
                        event[:1],
                    )
            return time.perf_counter() - begin


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    for row in rows:
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
