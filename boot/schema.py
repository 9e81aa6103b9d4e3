"""The database's schema: brought to the newest version, and compared with the models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import migrations
from core.db import Database, translated
from core.errors import Invalid
from models import Base

_LOCK = 0x506F7274  # 'Port': so that of several hosts which start at once, one migrates


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest version there is."""
    return ScriptDirectory.from_config(configuration()).get_current_head() or ""


def current(database: Database) -> str | None:
    """The version the database has; None where it is empty."""
    with translated(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database) -> bool:
    """Brings the database to the newest version; says whether there was anything to do."""
    if current(database) == head():
        return False
    with translated(), _without_foreign_keys(database) as connection, connection.begin():
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(configuration(connection), "head")
        if database.is_sqlite and (broken := connection.execute(text("PRAGMA foreign_key_check")).all()):
            raise Invalid(f"the upgrade would break {len(broken)} references, the first in {broken[0][0]}")
    return True


@contextmanager
def _without_foreign_keys(database: Database) -> Iterator[Connection]:
    """A connection on which SQLite may make a table anew that others refer to: dropping the old one would
    else delete their rows (sqlite.org, "ALTER TABLE", 7). It can only be said outside of a transaction."""
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            yield connection
            return
        raw: Any = connection.connection.driver_connection
        raw.execute("PRAGMA foreign_keys=OFF")
        try:
            yield connection
        finally:
            raw.execute("PRAGMA foreign_keys=ON")


def differences(database: Database) -> list[Any]:
    """What the models have and the database has not, or the other way round, as Alembic tells it."""
    with translated(), database.engine.connect() as connection:
        found: list[Any] = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata
        )
        return found
