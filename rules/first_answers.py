"""How soon people answered: the clocks to the first answer, counted in the database."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from models.lead import Lead
from models.sla import SlaClock, SlaState
from models.user import Team, TeamMember, User

By = Literal["policy", "owner", "team"]
_ANSWERED = (SlaState.MET, SlaState.LATE)


@dataclass(frozen=True, slots=True)
class Line:
    """The clocks of one policy, owner or team; `name` is empty for leads that nobody has.

    `median` and `p90` are seconds of the policy's time (working time where it is that) until the answer, of
    those that have one; None where none has. `inside` is the share, 0 to 1, of those answered in
    time among all that were answered or whose time is over; None where there is none. `breached`: the time
    was up before anybody answered, whether or not somebody has since. `closed`: closed in time, unanswered.
    """

    name: str
    leads: int
    answered: int
    waiting: int
    breached: int
    closed: int
    median: int | None
    p90: int | None
    inside: float | None

    def as_data(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def report(
    session: Session, *, by: By, since: datetime | None = None, until: datetime | None = None
) -> list[Line]:
    """One line for each policy, owner or team, of the clocks that were started within a time; by name.

    A lead counts for each team of its owner.
    """
    counts = {row.name: row for row in session.execute(_counts(by, since, until))}
    ranks = {row.name: row for row in session.execute(_ranks(by, since, until))}
    return [_line(row, ranks.get(name)) for name, row in sorted(counts.items(), key=lambda i: i[0] or "")]


def _line(row: Any, rank: Any) -> Line:
    decided = row.met + row.breached
    return Line(
        name=row.name or "",
        leads=row.leads,
        answered=row.answered,
        waiting=row.waiting,
        breached=row.breached,
        closed=row.closed,
        median=rank.median if rank is not None else None,
        p90=rank.p90 if rank is not None else None,
        inside=round(row.met / decided, 4) if decided else None,
    )


def _narrowed(chosen: Select[Any], by: By, since: datetime | None, until: datetime | None) -> Select[Any]:
    chosen = chosen.select_from(SlaClock)
    if by != "policy":
        chosen = chosen.join(Lead, Lead.id == SlaClock.lead_id).outerjoin(User, User.id == Lead.owner_id)
    if by == "team":
        member = TeamMember.user_id == User.id
        chosen = chosen.outerjoin(TeamMember, member).outerjoin(Team, Team.id == TeamMember.team_id)
    if since is not None:
        chosen = chosen.where(SlaClock.started_at >= since)
    return chosen.where(SlaClock.started_at < until) if until is not None else chosen


def _name(by: By) -> ColumnElement[Any]:
    names: dict[str, Any] = {"policy": SlaClock.policy, "owner": User.email, "team": Team.key}
    found: ColumnElement[Any] = names[by].label("name")
    return found


def _so_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _counts(by: By, since: datetime | None, until: datetime | None) -> Select[Any]:
    late = (SlaClock.state == SlaState.LATE) | SlaClock.breached_at.is_not(None)
    closed = (SlaClock.state == SlaState.ENDED) & SlaClock.breached_at.is_(None)
    name = _name(by)
    chosen = select(
        name,
        func.count().label("leads"),
        _so_many(SlaClock.state.in_(_ANSWERED)).label("answered"),
        _so_many(SlaClock.state.in_((SlaState.RUNNING, SlaState.PAUSED))).label("waiting"),
        _so_many((SlaClock.state == SlaState.MET) & SlaClock.breached_at.is_(None)).label("met"),
        _so_many(late).label("breached"),
        _so_many(closed).label("closed"),
    )
    return _narrowed(chosen, by, since, until).group_by(name)


def _ranks(by: By, since: datetime | None, until: datetime | None) -> Select[Any]:
    """The nearest ranks of the median and the 90th percentile: what both databases can count."""
    name = _name(by)
    inner = _narrowed(
        select(
            name,
            SlaClock.taken_seconds.label("seconds"),
            func.row_number().over(partition_by=name, order_by=SlaClock.taken_seconds).label("place"),
            func.count().over(partition_by=name).label("number"),
        ),
        by,
        since,
        until,
    )
    ranked = inner.where(SlaClock.state.in_(_ANSWERED), SlaClock.taken_seconds.is_not(None)).subquery()
    columns = ranked.c

    def at(percent: int) -> ColumnElement[Any]:
        # The smallest place that has so many per cent up to it, without a division.
        reached = columns.place * 100 >= columns.number * percent
        return func.min(case((reached, columns.seconds)))

    return select(columns.name, at(50).label("median"), at(90).label("p90")).group_by(columns.name)
