"""What all tests share: a fresh database with its schema, and no way out but loopback."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from core import db, queue
from core.settings import settings
from intake import sources
from models import Base
from tests.servers.postgres import own_postgres

# Nothing that the machine has configured may help a test.
_OURS = ("DATABASE_URL", "BROKER_URL", "REDIS_URL", "SMTP_URL", "PORT")
for _name in [n for n in os.environ if n in _OURS or n.startswith("PORTARIA_")]:
    if not _name.startswith("PORTARIA_TEST_"):
        del os.environ[_name]


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has its own data directory and no .env."""
    monkeypatch.setenv("PORTARIA_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    sources.forget()
    yield
    settings.cache_clear()
    sources.forget()


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anywhere else fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not (
            address[0] in ("::1", "localhost") or address[0].startswith("127.")
        ):
            raise AssertionError(f"a test connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def postgres_url(worker_id: str) -> Iterator[str | None]:
    """A database of this run's own with all tables, where PORTARIA_TEST_POSTGRES names a server."""
    server = os.environ.get("PORTARIA_TEST_POSTGRES")
    if not server:
        yield None
        return
    # With the process's number: another run on the same server must not take it away.
    with own_postgres(server, f"portaria_test_{worker_id}_{os.getpid()}") as url:
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        yield url


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables: copying it takes a hundredth of the time that making them takes."""
    file = tmp_path_factory.mktemp("empty") / "empty.db"
    made = db.Database(f"sqlite:///{file}")
    Base.metadata.create_all(made.engine)
    made.close()
    return file


@pytest.fixture
def database(
    tmp_path: Path, postgres_url: str | None, request: pytest.FixtureRequest
) -> Iterator[db.Database]:
    """This process's database with all tables, empty, and no broker to ring.

    A fresh SQLite file; on PostgreSQL the session's database, emptied.
    """
    if postgres_url is None:
        shutil.copyfile(request.getfixturevalue("empty_file"), tmp_path / "test.db")
    made = db.configure(postgres_url or f"sqlite:///{tmp_path / 'test.db'}")
    if postgres_url is not None:
        tables = ", ".join(f'"{name}"' for name in Base.metadata.tables)
        with made.engine.begin() as connection:
            connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    queue.configure(None)
    yield made
    made.close()


@pytest.fixture
def session(database: db.Database) -> Iterator[Session]:
    """One unit of work, committed at the end of the test."""
    with database.unit_of_work() as made:
        yield made
