"""What all tests share: a fresh database with its schema, and no way out but loopback."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from core import db, queue
from core.settings import settings
from crm import audit
from intake import sources
from models import Base
from tests.servers.postgres import own_postgres

# Tracebacks as the service writes them: the usual ones of structlog show every local variable, and take a
# loaded machine seconds each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(colors=False),
    ]
)

# Nothing that the machine has configured may help a test.
_OURS = ("DATABASE_URL", "BROKER_URL", "REDIS_URL", "SMTP_URL", "PORT")
for _name in [n for n in os.environ if n in _OURS or n.startswith("PORTARIA_")]:
    if not _name.startswith("PORTARIA_TEST_"):
        del os.environ[_name]


def pytest_addoption(parser: pytest.Parser) -> None:
    """On another database only the tests that have one are worth repeating."""
    parser.addoption("--with-database", action="store_true", help="leave out tests that use no database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what the option says, and tells how many."""
    if config.getoption("--with-database"):
        others = [item for item in items if "database" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has its own data directory and no .env."""
    monkeypatch.setenv("PORTARIA_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    sources.forget()
    audit.forget()
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


@pytest.fixture(scope="session")
def shared_database(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str | None
) -> Iterator[db.Database]:
    """One for all tests, which keeps the statements that it has compiled."""
    made = db.Database(postgres_url or f"sqlite:///{tmp_path_factory.mktemp('database') / 'test.db'}")
    yield made
    made.close()


@pytest.fixture
def database(shared_database: db.Database, request: pytest.FixtureRequest) -> Iterator[db.Database]:
    """This process's database with all tables, empty, and no broker to ring.

    A fresh SQLite file; on PostgreSQL the session's database, emptied.
    """
    if shared_database.is_sqlite:
        shared_database.engine.dispose()  # whoever still works in the old file finds nothing of the new one
        file = Path(shared_database.url.database or "")
        for old in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            old.unlink(missing_ok=True)
        shutil.copyfile(request.getfixturevalue("empty_file"), file)
    else:
        _empty(shared_database.engine)
    queue.configure(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "_current", shared_database)
        yield shared_database


def _empty(engine: Engine) -> None:
    """Takes all rows away, and the room that they had: else rows of the next test lie in any order."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        used = connection.exec_driver_sql(_USED).scalars().all()
        if used:
            # Deleting takes a fiftieth of the time of truncating; as a replica, without asking foreign keys.
            connection.exec_driver_sql("SET session_replication_role = replica")
            for table in used:
                connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql("RESET session_replication_role")
            connection.exec_driver_sql(f"VACUUM (TRUNCATE, INDEX_CLEANUP ON) {', '.join(used)}")
        connection.exec_driver_sql(_FROM_ONE)


_USED = """
SELECT quote_ident(relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
"""
_FROM_ONE = """
SELECT setval(quote_ident(sequencename)::regclass, 1, false)
FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


@pytest.fixture
def session(database: db.Database) -> Iterator[Session]:
    """One unit of work, committed at the end of the test."""
    with database.unit_of_work() as made:
        yield made
