"""What is asked of a report: of which days, by what, and of whose elements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock
from core.errors import Invalid
from crm import catalogue, workspace
from models.source import Channel, Source
from models.user import Team, TeamMember, User

_LONGEST = timedelta(days=366 * 10)
_USUAL = timedelta(days=29)


@dataclass(frozen=True, slots=True)
class Asked:
    """The days are whole ones in the workspace's zone, the last one with them.

    `owners` are the only ones whose elements count, where it is not None. What whoever asks may not see is
    not counted either: crm.rights narrows every look.
    """

    since: date
    until: date
    by: str
    zone: ZoneInfo
    currency: str
    rates: dict[str, Decimal]
    owners: frozenset[int] | None = None
    source_ids: frozenset[int] | None = None
    channel: Channel | None = None
    pipeline: str | None = None

    @property
    def begins(self) -> datetime:
        """The moment with which the first day begins."""
        return datetime.combine(self.since, time(), self.zone).astimezone(UTC)

    @property
    def ends(self) -> datetime:
        """The moment with which the last day is over."""
        return datetime.combine(self.until + timedelta(days=1), time(), self.zone).astimezone(UTC)

    def within(
        self, column: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
    ) -> ColumnElement[bool]:
        """Whether a moment lies in these days."""
        return (column >= self.begins) & (column < self.ends)

    def of_owner(self, column: InstrumentedAttribute[int | None]) -> list[ColumnElement[bool]]:
        """Whether it is one of those who count."""
        return [] if self.owners is None else [column.in_(self.owners)]


def asked(
    session: Session,
    *,
    since: date | None = None,
    until: date | None = None,
    owner: str | None = None,
    team: str | None = None,
    source: str | None = None,
    channel: str | None = None,
    pipeline: str | None = None,
) -> Asked:
    """What is asked for, understood: users by address, teams and sources by key. The last thirty days where
    none are named. Raises Invalid, naming the part."""
    here, settings = workspace.load(session), catalogue.load(session)
    today = clock.now().astimezone(here.zone).date()
    until = until or today
    since = since or until - _USUAL
    wrong: dict[str, str] = {}
    if not date(1990, 1, 1) <= since <= date(2100, 1, 1) or not date(1990, 1, 1) <= until <= date(2100, 1, 1):
        wrong["since"] = "is in no year from 1990 to 2100"
    elif since > until:
        wrong["until"] = "is before since"
    elif until - since > _LONGEST:
        wrong["since"] = "is more than ten years before until"
    if channel is not None and channel not in list(Channel):
        wrong["channel"] = f"is none of {', '.join(Channel)}"
    owners: frozenset[int] | None = None
    if owner is not None:
        found = session.scalar(select(User.id).where(User.email == owner.lower()))
        if found is None:
            wrong["owner"] = "is no user"
        owners = _both(owners, {found or 0})
    if team is not None:
        row = session.scalar(select(Team.id).where(Team.key == team))
        if row is None:
            wrong["team"] = "is no team"
        owners = _both(owners, set(session.scalars(_members(row or 0))))
    sources = None
    if source is not None:
        sources = frozenset(session.scalars(select(Source.id).where(Source.key == source)))
        if not sources:
            wrong["source"] = "is no source"
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    rates = {c.code: c.rate for c in settings.currencies} | {here.currency: Decimal(1)}
    kind = Channel(channel) if channel is not None else None
    return Asked(since, until, "source", here.zone, here.currency, rates, owners, sources, kind, pipeline)


def _members(team_id: int) -> Select[int]:
    return select(TeamMember.user_id).where(TeamMember.team_id == team_id)


def _both(ours: frozenset[int] | None, wanted: set[int]) -> frozenset[int]:
    return frozenset(wanted) if ours is None else ours & wanted
