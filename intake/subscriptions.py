"""Whether providers go on telling us of a line's calls: subscriptions that end by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Invalid, Unavailable
from intake import calling, pipeline
from intake.calls.subscribing import SUBSCRIBERS
from models.line_subscription import LineSubscription
from models.source import Source


@dataclass(frozen=True, slots=True)
class Standing:
    """How a line's subscription stands. `trouble`: why we do not look after it; `error`: what went wrong."""

    trouble: str | None
    expires_at: datetime | None
    renewed_at: datetime | None
    due_at: datetime | None
    error: str

    @property
    def words(self) -> str:
        """In one line, for people."""
        if self.trouble is not None:
            return f"not looked after, and it ends by itself: {self.trouble}"
        if self.error:
            until = f"; it ends {self.expires_at:%Y-%m-%d %H:%M} UTC" if self.expires_at else ""
            return f"could not be renewed: {self.error}{until}"
        if self.expires_at is None:
            return "asked for in a moment"
        return f"until {self.expires_at:%Y-%m-%d %H:%M} UTC, and renewed before"


def standing(session: Session, source: Source) -> Standing | None:
    """How it stands; None for a provider that sends its webhooks for good."""
    if source.settings.get("provider") not in SUBSCRIBERS:
        return None
    row = session.get(LineSubscription, source.id)
    why = trouble(session, source)
    if row is None:
        return Standing(why, None, None, None, "")
    return Standing(why, row.expires_at, row.renewed_at, row.due_at, row.error)


def trouble(session: Session, source: Source) -> str | None:
    """Why the line's subscription is not looked after; None where it is."""
    provider = str(source.settings.get("provider"))
    subscriber = SUBSCRIBERS.get(provider)
    if subscriber is None:
        return f"{provider} sends its webhooks for good"
    try:
        _, line = pipeline.line_of(session, source)
    except (Unavailable, ValidationError) as error:
        return str(error)
    return subscriber.trouble(line, calling.address(source.key, provider))


def asks_for(session: Session, source: Source) -> str:
    """The digest of what the line's subscription says."""
    _, line = pipeline.line_of(session, source)
    return SUBSCRIBERS[line.provider].asks_for(line, calling.address(source.key, line.provider))


def ask(session: Session, source: Source) -> None:
    """Lets it be looked after now, and wakes the worker for it. Raises Invalid where it is not."""
    if (why := trouble(session, source)) is not None:
        raise Invalid(f"the subscription of '{source.key}' is not looked after: {why}")
    row = row_of(session, source.id)
    row.due_at = clock.now()
    queue.wake(session, queue.SUBSCRIBE, source.id)


def row_of(session: Session, source_id: int) -> LineSubscription:
    """The line's row, held, and made when it is first asked for: due at once."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    made = dialect.insert(LineSubscription).values(
        source_id=source_id, asked="", due_at=clock.now(), tries=0, error=""
    )
    session.execute(made.on_conflict_do_nothing(index_elements=["source_id"]))
    return session.get_one(LineSubscription, source_id, with_for_update=True, populate_existing=True)
