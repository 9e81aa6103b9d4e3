"""The schema: an empty database becomes what the models say."""

from __future__ import annotations

from pathlib import Path

from boot import schema
from core.db import Database


def migrated(database: Database) -> None:
    """What must hold for any database."""
    assert schema.current(database) is None
    assert schema.upgrade(database) is True
    assert schema.current(database) == schema.head()
    assert schema.upgrade(database) is False
    assert schema.differences(database) == []


def test_an_empty_sqlite_database_becomes_what_the_models_say(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    migrated(database)
    database.close()


def test_sqlite_is_as_durable_as_it_can_be(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.engine.connect() as connection:
        pragma = {
            n: connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in ("journal_mode", "synchronous")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL
    database.close()
