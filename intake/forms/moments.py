"""Moments as services write them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str) -> datetime | None:
    """ISO 8601 in UTC, which it is where it names no zone; None where it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def of_epoch(value: object, *, unit: float = 1.0) -> datetime | None:
    """Seconds since 1970, or with `unit=1000` milliseconds; None where it is no such number."""
    try:
        return datetime.fromtimestamp(float(str(value)) / unit, UTC)
    except (ValueError, OverflowError, OSError):
        return None
