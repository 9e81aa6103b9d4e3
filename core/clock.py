"""The only reader of the time. Every moment is aware and in UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_frozen: datetime | None = None


def now() -> datetime:
    """The present moment, in UTC."""
    return _frozen if _frozen is not None else datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back; for measuring how long something takes."""
    return time.monotonic()


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Within this block `now()` answers `at`; for tests and backtests."""
    global _frozen
    before, _frozen = _frozen, at.astimezone(UTC)
    try:
        yield
    finally:
        _frozen = before


def seconds(value: float) -> timedelta:
    """A duration in seconds."""
    return timedelta(seconds=value)
