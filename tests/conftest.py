"""What all tests share: a fresh database with its schema, and no way out but loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import db, queue
from core.settings import settings
from intake import sources
from models import Base

# Nothing that the machine has configured may help a test.
for _name in ("DATABASE_URL", "BROKER_URL", "REDIS_URL", "SMTP_URL"):
    os.environ.pop(_name, None)


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
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            raise AssertionError(f"a test connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[db.Database]:
    """This process's database: a fresh SQLite file with all tables, and no broker to ring."""
    made = db.configure(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(made.engine)
    queue.configure(None)
    yield made
    made.close()


@pytest.fixture
def session(database: db.Database) -> Iterator[Session]:
    """One unit of work, committed at the end of the test."""
    with database.unit_of_work() as made:
        yield made
