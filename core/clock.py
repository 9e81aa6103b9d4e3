"""The only reader of the time. Every moment is aware and in UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

_frozen: datetime | None = None
_pretended: ContextVar[datetime | None] = ContextVar("pretended", default=None)


def now() -> datetime:
    """The present moment, in UTC."""
    return _pretended.get() or _frozen or datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back; for measuring how long something takes."""
    return time.monotonic()


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Within this block `now()` answers `at`, in every thread; for tests."""
    global _frozen
    before, _frozen = _frozen, at.astimezone(UTC)
    try:
        yield
    finally:
        _frozen = before


@contextmanager
def pretended(at: datetime) -> Iterator[None]:
    """Within this block `now()` answers `at` to whoever runs in it, and to nobody else."""
    token = _pretended.set(at.astimezone(UTC))
    try:
        yield
    finally:
        _pretended.reset(token)


def seconds(value: float) -> timedelta:
    """A duration in seconds."""
    return timedelta(seconds=value)
