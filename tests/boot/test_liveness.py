"""Connections of the pool that are none any more, on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from core import clock, db, liveness


@pytest.fixture(autouse=True)
def on_postgresql(database: db.Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite's connections do not end")


def pid(database: db.Database) -> int:
    with database.reading() as session:
        return int(session.scalar(text("SELECT pg_backend_pid()")) or 0)


def test_a_connection_that_the_server_has_ended_is_not_handed_out(database: db.Database) -> None:
    gone = pid(database)
    other = create_engine(database.url)
    with other.connect() as connection:
        assert connection.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (gone,)).scalar()
    other.dispose()
    assert pid(database) != gone


def test_what_lay_idle_for_long_is_asked(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(database.engine.dialect, "do_ping", lambda c: asked.append(c) or True)
    pid(database)
    pid(database)
    assert not asked
    with monkeypatch.context() as later:
        ahead = clock.monotonic() + timedelta(seconds=liveness.LONG + 1).total_seconds()
        later.setattr(clock, "monotonic", lambda: ahead)
        pid(database)
    assert len(asked) == 1
