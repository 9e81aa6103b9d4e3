"""A part of a transaction that can fail alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session


@contextmanager
def savepoint(session: Session) -> Iterator[None]:
    """What is done in the block is taken back where it raises; what was done before it stays."""
    with session.begin_nested():
        yield
