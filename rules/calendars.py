"""The workspace's calendars, ready to count with: read once for as long as the workspace stays as it is."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from core.rows import flush_any
from models.workspace import Calendar, WorkspaceRow
from rules.calendar import BusinessCalendar

_COLUMNS = Calendar.__table__.c
_FIRST = select(_COLUMNS.settings).order_by(_COLUMNS.key).limit(1)
_NAMED = select(_COLUMNS.settings).where(_COLUMNS.key == bindparam("key"))
_MOST_KEPT = 200
_kept: dict[tuple[str, str | None, str], BusinessCalendar | None] = {}


def named(session: Session, key: str | None, zone: ZoneInfo) -> BusinessCalendar | None:
    """The calendar of this key, or without one the first; None where there is none. `zone` counts where it
    names none itself."""
    row = session.get(WorkspaceRow, 1)
    if row is None or not row.stamp:
        return _read(session, key, zone)
    place = (row.stamp, key, zone.key)  # what stands under a stamp never changes
    if place not in _kept:
        found = _read(session, key, zone)
        while len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[place] = found
    return _kept[place]


def _read(session: Session, key: str | None, zone: ZoneInfo) -> BusinessCalendar | None:
    flush_any(session, Calendar)
    connection = session.connection()
    settings = connection.scalar(_FIRST) if key is None else connection.scalar(_NAMED, {"key": key})
    return BusinessCalendar.of(settings, zone) if settings is not None else None
