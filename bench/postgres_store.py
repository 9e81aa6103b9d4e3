"""A database of the bench's own on a PostgreSQL server that somebody else runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from bench.limits import ROW, Loop
from bench.store import share

#: Made and dropped by the bench: each run has its own, so that two may go on beside each other.
NAME = f"portaria_bench_{os.getpid()}"
_INSERT = "INSERT INTO bare (body, adapter, state, at) VALUES (%s, %s, %s, %s)"

Connection = psycopg.Connection[tuple[Any, ...]]


class Postgres:
    """See `Store`. `url` is that of any database on the server, with the right to create another."""

    name = "PostgreSQL"

    def __init__(self, url: str) -> None:
        given = make_url(url).set(drivername="postgresql")
        self._server = given.render_as_string(hide_password=False)
        self._own = given.set(database=NAME).render_as_string(hide_password=False)
        self._reader: Connection | None = None

    def environment(self) -> dict[str, str]:
        """The address, and the key that the service asks for with it."""
        return {"DATABASE_URL": self._own, "PORTARIA_SECRET_KEY": "of the bench alone " * 3}

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[None]:
        """Creates the database, and drops it."""
        folder.mkdir(parents=True)
        with psycopg.connect(self._server, autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)".encode())
            server.execute(f"CREATE DATABASE {NAME}".encode())
            try:
                yield
            finally:
                if self._reader is not None:
                    self._reader.close()
                    self._reader = None
                server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)".encode())

    def url(self) -> str:
        """Its address, as SQLAlchemy writes it."""
        return self._own.replace("postgresql://", "postgresql+psycopg://", 1)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Asks it, each time in a transaction of its own."""
        if self._reader is None:
            self._reader = psycopg.connect(self._own, autocommit=True)
        return self._reader.execute(query.replace("?", "%s").encode(), values).fetchall()

    def commits(self, seconds: float, rows: int, *, pause: float = 0.0) -> Loop:
        """In a table of its own; several rows are sent in psycopg's pipeline."""
        made = Loop(rows=rows)
        with psycopg.connect(self._own, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS bare"
                " (id SERIAL PRIMARY KEY, body BYTEA, adapter TEXT, state TEXT, at TIMESTAMP)"
            )
            while made.seconds < seconds:
                time.sleep(pause)
                begin = time.perf_counter()
                if rows == 1:
                    connection.execute(_INSERT, ROW)
                else:
                    with connection.transaction(), connection.cursor() as cursor:
                        cursor.executemany(_INSERT, [ROW] * rows)
                took = time.perf_counter() - begin
                made.latencies.append(took)
                made.seconds += took + pause
        return made

    def replay(self, tables: dict[str, int]) -> float:
        """In a schema of its own with the same tables and indexes."""
        copied = {
            table: self.rows(f"SELECT t::text FROM {table} t ORDER BY ctid OFFSET ?", before)
            for table, before in tables.items()
        }
        with psycopg.connect(self._own, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA again")
            for table in (*tables, "inbound_events"):
                connection.execute(f"CREATE TABLE again.{table} (LIKE public.{table} INCLUDING ALL)".encode())
            connection.execute("INSERT INTO again.inbound_events SELECT * FROM public.inbound_events")
            connection.execute("UPDATE again.inbound_events SET state = 'received', processed_at = NULL")
            ids = [row[0] for row in self.rows("SELECT id FROM inbound_events ORDER BY id")]
            begin = time.perf_counter()
            for number, event_id in enumerate(ids):
                _update(connection, "attempts = 1", event_id)
                with connection.transaction():
                    for table, rows in copied.items():
                        _insert(connection, table, share(rows, number, len(ids)))
                    _update(connection, "state = 'processed', processed_at = received_at", event_id)
            return time.perf_counter() - begin


def _insert(connection: Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    for row in rows:
        connection.execute(f"INSERT INTO again.{table} SELECT (%s::public.{table}).*".encode(), row)


def _update(connection: Connection, change: str, event_id: Any) -> None:
    connection.execute(f"UPDATE again.inbound_events SET {change} WHERE id = %s".encode(), (event_id,))
