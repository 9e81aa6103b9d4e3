"""How the mailboxes stand, as people and programs are told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound
from intake.mailbox import desk
from models.mailbox import MailboxPosition, WatchedMailbox
from models.source import Channel, Source

#: Who watches says so once a minute.
SEEN_WITHIN = timedelta(minutes=3)
#: So long before it happens the end of a grant is told.
WARN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class FolderReport:
    """One folder: how far it has been read, and what the last comparison with the server found."""

    folder: str
    state: str
    last_uid: int
    reconciled_at: datetime | None
    reconciliation: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class MailboxReport:
    """`state` is watching, interrupted, stopped or unwatched; `trouble` says what is wrong, if anything."""

    key: str
    name: str
    state: str
    since: datetime | None
    error: str
    trouble: str
    seen_at: datetime | None
    last_message_at: datetime | None
    lag_seconds: float | None
    token_expires_at: datetime | None
    reconcile_asked_at: datetime | None
    reconciled_at: datetime | None
    missed: int
    folders: tuple[FolderReport, ...]

    def values(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def of_all(session: Session) -> list[MailboxReport]:
    """The active mailboxes, in the order of their keys."""
    chosen = select(Source).where(Source.channel == Channel.EMAIL, Source.active).order_by(Source.key)
    found = session.scalars(chosen).all()
    rows = {row.source_id: row for row in session.scalars(select(WatchedMailbox))}
    folders: dict[int, list[MailboxPosition]] = {}
    for place in session.scalars(select(MailboxPosition).order_by(MailboxPosition.folder)):
        folders.setdefault(place.source_id, []).append(place)
    return [_report(source, rows.get(source.id), folders.get(source.id, [])) for source in found]


def of_one(session: Session, key: str) -> tuple[int, MailboxReport]:
    """A mailbox's source, and how it stands. Raises NotFound."""
    chosen = select(Source).where(Source.channel == Channel.EMAIL, Source.key == key, Source.active)
    source = session.scalars(chosen).one_or_none()
    if source is None:
        raise NotFound(f"there is no mailbox '{key}'")
    places = session.scalars(
        select(MailboxPosition).where(MailboxPosition.source_id == source.id).order_by(MailboxPosition.folder)
    ).all()
    return source.id, _report(source, session.get(WatchedMailbox, source.id), places)


def _report(source: Source, row: WatchedMailbox | None, places: Any) -> MailboxReport:
    now = clock.now()
    declared = source.settings.get("folders") or []
    first = [source.settings.get("folder", "INBOX")] if "folder" in source.settings or not declared else []
    watched = {*first, *declared}
    mine = [place for place in places if place.folder in watched]
    state, trouble = _state(row, now)
    ends = row.token_expires_at if row is not None else None
    if not trouble and ends is not None and ends - now < WARN:
        trouble = f"signing in by this grant ends on {ends:%Y-%m-%d}: renew it before"
    compared = [place.reconciled_at for place in mine if place.reconciled_at is not None]
    return MailboxReport(
        key=source.key,
        name=source.name,
        state=state,
        since=row.state_since if row is not None else None,
        error=row.error if row is not None else "",
        trouble=trouble,
        seen_at=row.seen_at if row is not None else None,
        last_message_at=row.last_message_at if row is not None else None,
        lag_seconds=_lag(row, state, now),
        token_expires_at=ends,
        reconcile_asked_at=row.reconcile_asked_at if row is not None else None,
        reconciled_at=min(compared) if compared and len(compared) == len(watched) else None,
        missed=sum((place.reconciliation or {}).get("missed", 0) for place in mine),
        folders=tuple(
            FolderReport(p.folder, p.state, p.last_uid, p.reconciled_at, p.reconciliation) for p in mine
        ),
    )


def _state(row: WatchedMailbox | None, now: datetime) -> tuple[str, str]:
    if row is None or row.seen_at is None:
        return "unwatched", "was never watched: is a 'portaria mailboxes' running?"
    if row.state == desk.STOPPED:
        return row.state, f"{row.error}: mend it, or ask for another try"
    if now - row.seen_at > SEEN_WITHIN:
        seen = f"{row.seen_at:%Y-%m-%d %H:%M} UTC"
        return "unwatched", f"last seen {seen}: is a 'portaria mailboxes' running?"
    return row.state, row.error


def _lag(row: WatchedMailbox | None, state: str, now: datetime) -> float | None:
    """For how many seconds nobody has looked; 0 while it is watched, None where nobody ever did."""
    if row is None or row.seen_at is None:
        return None
    if state == desk.WATCHING:
        return 0.0
    since = row.state_since if state != "unwatched" and row.state_since is not None else row.seen_at
    return max((now - since).total_seconds(), 0.0)
