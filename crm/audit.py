"""Who saw and changed what: noted with each request, written down together."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock
from models.audit import AuditEntry

#: What is noted waits no longer than this for the next request, or for so many others.
_WAIT = timedelta(seconds=1)
_MOST = 50
_READING = ("GET", "HEAD")
#: What is about people; everything else is configuration and states.
PLACES = frozenset(
    {"leads", "contacts", "companies", "deals", "activities", "calls", "emails", "attachments", "recordings"}
    | {"timeline", "events", "mails", "merges", "duplicates", "exports", "segments", "runs", "bulk"}
)


class _Noted:
    """What is still to be written, of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[Mapping[str, Any]] = []
        self._since: datetime | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        with self._lock:
            self._rows.append(row)
            self._since = self._since or clock.now()

    def due(self) -> bool:
        with self._lock:
            late = self._since is not None and clock.now() - self._since >= _WAIT
            return late or len(self._rows) >= _MOST

    def taken(self) -> list[Mapping[str, Any]]:
        with self._lock:
            rows, self._rows, self._since = self._rows, [], None
            return rows


_noted = _Noted()


def note(actor: str, method: str, path: str, row_id: int | None) -> None:
    """Notes a request that was answered; `path` is below the API's, or the console's own."""
    place, _, rest = path.strip("/").partition("/")
    if place not in PLACES or method == "OPTIONS":
        return
    what = rest.rpartition("/")[2] if rest and not rest.isdecimal() else ""
    if what == "data" or place == "exports":
        action = "exported"
    elif what == "erase":
        action = "erased"
    elif method in _READING:
        action = "listed" if row_id is None else "saw"
    else:
        action = "deleted" if method == "DELETE" else "changed"
    _noted.add(
        {
            "at": clock.now(),
            "actor": actor,
            "action": action,
            "place": place,
            "element_id": row_id,
            "what": what[:100],
        }
    )


def forget() -> None:
    """Writes nothing of what was noted; for tests."""
    _noted.taken()


def due() -> bool:
    """Whether what was noted should be written now."""
    return _noted.due()


def write(session: Session) -> None:
    """Writes down what was noted."""
    if rows := _noted.taken():
        try:
            session.execute(insert(AuditEntry), [dict(row) for row in rows])
        except SQLAlchemyError:
            for row in rows:
                _noted.add(row)
            raise
