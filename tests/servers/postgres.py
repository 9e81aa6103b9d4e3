"""Databases of a test's own on a PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError


def server() -> str:
    """The PostgreSQL server for tests; skips at home where there is none, fails in CI."""
    return _there("PORTARIA_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


def _there(name: str, default: str) -> str:
    url = os.environ.get(name, default)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect():
            return url
    except OperationalError:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL at {url}; set {name}")
    finally:
        engine.dispose()


@contextmanager
def own_postgres(url: str, name: str) -> Iterator[str]:
    """An empty database of this name, gone afterwards."""
    address = make_url(url.replace("postgresql://", "postgresql+psycopg://"))
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    try:
        yield address.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        engine.dispose()
