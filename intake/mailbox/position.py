"""How far a folder has been read, and what of it is in the journal. In the caller's transaction."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.logs import logger
from crm import workspace
from intake.mailbox.settings import MailboxSettings
from models.mailbox import MailboxMessage, MailboxPosition
from models.source import Source

#: So long before it was declared a fresh mailbox begins: clocks differ, and somebody may be waiting.
MARGIN = timedelta(hours=1)
_AT_ONCE = 500
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder as the server opened it: what its UIDs count in, and the next of them."""

    uidvalidity: int
    uidnext: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a folder has been read. `space` names what the UIDs count in, see `space_of`.

    Messages up to `history_uid` count only where they came since `begins_at` (None: all do).
    """

    folder: str
    space: int
    last_uid: int
    history_uid: int = 0
    begins_at: datetime | None = None

    @property
    def uidvalidity(self) -> int:
        """As the server says it."""
        return self.space & 0xFFFFFFFF


def space_of(settings: MailboxSettings, uidvalidity: int) -> int:
    """The folder's UIDVALIDITY (32 bits) behind 31 bits for the account.

    Many servers give every inbox the same UIDVALIDITY (Gmail: 1). A mailbox that is pointed at another
    account must not go on at the first one's UID.
    """
    account = f"{settings.address}\n{settings.username}".lower().encode()
    return (zlib.crc32(account) & 0x7FFFFFFF) << 32 | uidvalidity


def row_of(session: Session, source_id: int, folder: str) -> MailboxPosition:
    """The folder's row, locked; made where there is none."""
    row = session.get(MailboxPosition, (source_id, folder), with_for_update=True)
    if row is None:
        row = MailboxPosition(source_id=source_id, folder=folder, last_uid=0, state="", history_uid=0)
        session.add(row)
        session.flush()
    return row


def settle(
    session: Session, source_id: int, folder: str, settings: MailboxSettings, found: Opened
) -> tuple[Position, bool]:
    """Where to go on, and whether that is where we were.

    A folder whose UIDs mean something else now is read from its beginning; so is one of which more is wanted.
    """
    row = row_of(session, source_id, folder)
    space, since = space_of(settings, found.uidvalidity), _words(settings)
    goes_on = row.uidvalidity == space
    if row.uidvalidity is None:
        row.begins_at = _begin(session, row, settings, space)
    elif not goes_on:
        log.warning("mailbox.uidvalidity_changed", source_id=source_id, folder=folder)
        if row.uidvalidity >> 32 != space >> 32:
            row.begins_at = _begin(session, row, settings, space)  # another account, or the same elsewhere
    elif row.since not in (None, since) and since:
        wanted = _begin(session, row, settings, space)
        if row.begins_at is not None and (wanted is None or wanted < row.begins_at):
            row.begins_at, goes_on = wanted, False
    row.since = since
    if not goes_on:
        row.uidvalidity, row.last_uid, row.history_uid = space, 0, found.uidnext - 1
    return Position(folder, space, row.last_uid, row.history_uid, row.begins_at), goes_on


def _words(settings: MailboxSettings) -> str:
    return settings.since.isoformat() if isinstance(settings.since, date) else settings.since or ""


def _begin(session: Session, row: MailboxPosition, settings: MailboxSettings, space: int) -> datetime | None:
    """From when on what was there before us counts; None: from the beginning."""
    if settings.since == "all":
        return None
    if isinstance(settings.since, date):
        return datetime.combine(settings.since, time(), workspace.load(session).zone).astimezone(UTC)
    others = session.scalars(
        select(MailboxPosition).where(
            MailboxPosition.source_id == row.source_id,
            MailboxPosition.folder != row.folder,
            MailboxPosition.uidvalidity.is_not(None),
        )
    ).all()
    for other in others:
        # Servers keep the UIDVALIDITY of a folder that is renamed: it is the one we read before.
        if other.uidvalidity == space and other.folder not in settings.watched:
            return other.begins_at
    if row.uidvalidity is not None and row.seen_at is not None:
        return row.seen_at - MARGIN
    seen = [o.seen_at for o in others if o.seen_at is not None and o.since is not None]
    source = session.get(Source, row.source_id)
    declared = source.created_at if source is not None else None
    # A folder that is added to a mailbox begins when it is added, not when the mailbox did.
    return max([*seen, declared or clock.now()]) - MARGIN


def remember(
    session: Session, source_id: int, place: Position, events: Mapping[int, str], to_do: Mapping[int, str]
) -> None:
    """Notes which UIDs are in the journal, as which events, and what is to be done with them."""
    if not events:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    rows: list[dict[str, Any]] = [
        {
            "source_id": source_id,
            "folder": place.folder,
            "space": place.space,
            "uid": uid,
            "event_id": event_id,
            "to_do": to_do.get(uid),
        }
        for uid, event_id in events.items()
    ]
    session.execute(dialect.insert(MailboxMessage).on_conflict_do_nothing(), rows)


def known(session: Session, source_id: int, place: Position, above: int = 0) -> set[int]:
    """The UIDs above this one that are in the journal."""
    found = select(MailboxMessage.uid).where(*_of(source_id, place), MailboxMessage.uid > above)
    return set(session.scalars(found))


def to_do(session: Session, source_id: int, place: Position, wanted: str | None) -> list[int]:
    """The UIDs with which something is still to be done; what is wanted no longer is forgotten."""
    mine = (MailboxMessage.source_id == source_id, MailboxMessage.folder == place.folder)
    rows = session.execute(
        select(MailboxMessage.space, MailboxMessage.uid, MailboxMessage.to_do).where(
            *mine, MailboxMessage.to_do.is_not(None)
        )
    ).all()
    if any(row.to_do != wanted or row.space != place.space for row in rows):
        session.execute(
            update(MailboxMessage)
            .where(*mine, MailboxMessage.to_do.is_not(None))
            .where((MailboxMessage.to_do != (wanted or "")) | (MailboxMessage.space != place.space))
            .values(to_do=None)
        )
    return sorted(row.uid for row in rows if row.to_do == wanted and row.space == place.space)


def done(session: Session, source_id: int, place: Position, uids: Iterable[int]) -> None:
    """Notes that it was done."""
    for some in _parts(uids):
        session.execute(
            update(MailboxMessage)
            .where(*_of(source_id, place), MailboxMessage.uid.in_(some))
            .values(to_do=None)
        )


def forget(session: Session, source_id: int, place: Position, uids: Iterable[int]) -> None:
    """Forgets messages that are in the folder no more, and all that was counted otherwise."""
    for some in _parts(uids):
        session.execute(delete(MailboxMessage).where(*_of(source_id, place), MailboxMessage.uid.in_(some)))
    session.execute(
        delete(MailboxMessage).where(
            MailboxMessage.source_id == source_id,
            MailboxMessage.folder == place.folder,
            MailboxMessage.space != place.space,
        )
    )


def journalled(session: Session, source_id: int, place: Position) -> int:
    """How many of the folder's messages are in the journal."""
    counted = select(func.count()).select_from(MailboxMessage).where(*_of(source_id, place))
    return session.scalar(counted) or 0


def _of(source_id: int, place: Position) -> tuple[Any, ...]:
    return (
        MailboxMessage.source_id == source_id,
        MailboxMessage.folder == place.folder,
        MailboxMessage.space == place.space,
    )


def _parts(uids: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(uids)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]
