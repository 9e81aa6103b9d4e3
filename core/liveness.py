"""Whether a connection of the pool is still one, told without asking the server each time.

A server that stops, or ends a connection, says so on it: then there is something to read where nothing was
asked. Only what lay idle for long, and may have been forgotten on the way without a word, is asked.
"""

from __future__ import annotations

import select
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from core import clock

#: After so many seconds of idleness the server is asked.
LONG = 30.0
_BACK_AT = "portaria.back_at"


def look_at_what_is_handed_out(engine: Engine) -> None:
    """Lets a dead connection of this PostgreSQL pool be replaced, with all of its age, before it is used."""

    @event.listens_for(engine, "checkin")
    def back(connection: Any, record: Any) -> None:
        record.info[_BACK_AT] = clock.monotonic()

    @event.listens_for(engine, "checkout")
    def out(connection: Any, record: Any, fairy: Any) -> None:
        idle = clock.monotonic() - record.info.get(_BACK_AT, clock.monotonic())
        if (idle > LONG or _has_said(connection)) and not _answers(engine, connection):
            raise InvalidatePoolError


def _has_said(connection: Any) -> bool:
    if connection.closed:
        return True
    looked = select.poll()
    looked.register(connection.fileno(), select.POLLIN)
    return bool(looked.poll(0))


def _answers(engine: Engine, connection: Any) -> bool:
    try:
        return engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        return False
