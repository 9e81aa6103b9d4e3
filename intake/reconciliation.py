"""Whether we have heard of all of a line's calls: which lines can be checked, and when they were."""

from __future__ import annotations

from datetime import timedelta

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Invalid, NotFound, Unavailable
from intake import pipeline
from intake.calls.history import HISTORIES
from models.call_check import CallCheck
from models.source import Channel, Source

#: Often enough for providers that tell of one day only.
EVERY = timedelta(hours=12)


def lines(session: Session) -> list[Source]:
    """The lines in use, by their keys."""
    chosen = select(Source).where(Source.channel == Channel.CALL, Source.active).order_by(Source.key)
    return list(session.scalars(chosen))


def line(session: Session, key: str) -> Source:
    """The line of this key. Raises NotFound."""
    found = next((source for source in lines(session) if source.key == key), None)
    if found is None:
        raise NotFound(f"there is no line '{key}'")
    return found


def trouble(session: Session, source: Source) -> str | None:
    """Why the line cannot be checked; None where it can."""
    provider = str(source.settings.get("provider"))
    history = HISTORIES.get(provider)
    if history is None:
        return f"{provider} has no list of calls that we can ask for"
    try:
        _, settings = pipeline.line_of(session, source)
    except (Unavailable, ValidationError) as error:
        return str(error)
    return history.trouble(settings)


def ask(session: Session, source: Source) -> CallCheck:
    """Lets the line be checked now, and wakes the worker for it. Raises Invalid where it cannot be."""
    if (why := trouble(session, source)) is not None:
        raise Invalid(f"the line '{source.key}' cannot be checked: {why}")
    row = standing(session, source.id)
    row.due_at = clock.now()
    queue.wake(session, queue.CHECK_LINE, source.id)
    return row


def standing(session: Session, source_id: int) -> CallCheck:
    """The line's row, held, and made when it is first asked for: due at once."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    made = dialect.insert(CallCheck).values(
        source_id=source_id,
        due_at=clock.now(),
        pages=0,
        tries=0,
        looked=0,
        found=0,
        last_looked=0,
        last_found=0,
        error="",
    )
    session.execute(made.on_conflict_do_nothing(index_elements=["source_id"]))
    return session.get_one(CallCheck, source_id, with_for_update=True, populate_existing=True)
