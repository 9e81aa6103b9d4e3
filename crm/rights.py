"""Who sees and changes which elements: their own, their teams', or all.

What is read within `seeing` is narrowed by SQLAlchemy itself, whatever asks: a list, a count, a report, one
row by its id. Only sessions that read are: rules and identity, which write, have to know everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, FromClause, Table, and_, event, or_, select, true
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from models.activity import Activity
from models.attachment import Attachment
from models.base import Base
from models.call import Call
from models.company import Company
from models.consent import ConsentGiven
from models.contact import Contact
from models.deal import Deal
from models.deal_template import DealTemplate
from models.duplicate import DuplicatePair
from models.inbound import InboundEvent
from models.lead import Lead
from models.merge import Merge
from models.message import Message
from models.offer import Offer
from models.recording import Recording
from models.rule import Run, StepRow, Trace
from models.timeline import TimelineEntry
from models.user import Role, TeamMember, User


class Reach(StrEnum):
    """How far a right goes."""

    NONE = "none"
    OWN = "own"
    TEAM = "team"  # those of one's teams' members, and what nobody has
    ALL = "all"


class Right(BaseModel):
    """What a role sees and changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    see: Reach = Field(Reach.ALL, description="own, team or all")
    change: Reach = Field(Reach.ALL, description="none, own, team or all; never more than `see`")


DEFAULTS: Mapping[Role, Right] = {
    Role.ADMIN: Right(),
    Role.MANAGER: Right(),
    Role.AGENT: Right(),
    Role.READ_ONLY: Right(see=Reach.ALL, change=Reach.NONE),
}
#: What hangs on elements, and the column that says whose it is by itself.
_HANGING: tuple[tuple[type[Base], str | None], ...] = (
    (Activity, "owner_id"),
    (Call, "user_id"),
    (Message, "user_id"),
    (TimelineEntry, None),
    (Attachment, None),
    (ConsentGiven, None),
    (Offer, "user_id"),
    (Run, None),
    (Trace, None),
    (InboundEvent, None),
)
_ELEMENTS: Mapping[str, type[Base]] = {"lead": Lead, "contact": Contact, "company": Company, "deal": Deal}
#: What an address names by its first part and a number.
PLACES: Mapping[str, type[Base]] = {
    "leads": Lead,
    "contacts": Contact,
    "companies": Company,
    "deals": Deal,
    "deal-templates": DealTemplate,
    "activities": Activity,
    "calls": Call,
    "emails": Message,
    "sent": Message,
    "attachments": Attachment,
    "recordings": Recording,
    "timeline": TimelineEntry,
    "runs": Run,
    "steps": StepRow,
    "merges": Merge,
    "duplicates": DuplicatePair,
}
#: What a body names by a number.
NAMED: Mapping[str, type[Base]] = {
    **{name: table for kind, table in _ELEMENTS.items() for name in (kind, f"{kind}_id")},
    "activity_id": Activity,
    "answers": Message,
}


@dataclass(frozen=True)
class Sight:
    """The elements of these users; `unowned` says whether also those that nobody has."""

    users: frozenset[int]
    unowned: bool

    def owns(self, entity: Any) -> ColumnElement[bool]:
        """Whether an element is in sight; `entity` is its mapped class, or an alias of its table."""
        columns = entity.c if isinstance(entity, FromClause) else entity
        mine: ColumnElement[bool] = columns.owner_id.in_(sorted(self.users))
        return or_(mine, columns.owner_id.is_(None)) if self.unowned else mine

    def within(self, other: Sight) -> Sight:
        """What is in both sights."""
        return Sight(self.users & other.users, self.unowned and other.unowned)

    # Making them takes longer than most statements do, and each request of a person has the same.
    @lru_cache(maxsize=1000)  # noqa: B019  few differ, and they are small
    def criteria(self) -> tuple[Any, ...]:
        """What narrows a statement to what is in sight."""
        owned: tuple[type[Base], ...] = (*_ELEMENTS.values(), DealTemplate)
        made = [(table, self.owns(table)) for table in owned]
        made += [(table, self._hangs(table, own)) for table, own in _HANGING]
        runs, calls = (_table(t).alias() for t in (Run, Call))
        made.append((StepRow, StepRow.run_id.in_(select(runs.c.id).where(self._hangs(runs, None)))))
        seen_calls = select(calls.c.id).where(self._hangs(calls, "user_id"))
        made.append((Recording, Recording.call_id.in_(seen_calls)))
        for pair, one, other in (
            (Merge, Merge.survivor_id, Merge.survivor_id),
            (DuplicatePair, DuplicatePair.first_id, DuplicatePair.second_id),
        ):
            of_kind = [
                and_(pair.kind == kind, one.in_(self._visible(kind)), other.in_(self._visible(kind)))
                for kind in ("lead", "contact", "company")
            ]
            made.append((pair, or_(*of_kind)))
        return tuple(with_loader_criteria(table, which, include_aliases=True) for table, which in made)

    def _visible(self, kind: str) -> Any:
        table = _aliased(kind)
        return select(table.c.id).where(self.owns(table))

    def _hangs(self, entity: Any, own: str | None) -> ColumnElement[bool]:
        columns = entity.c if isinstance(entity, FromClause) else entity
        on = {kind: getattr(columns, f"{kind}_id") for kind in _ELEMENTS if hasattr(columns, f"{kind}_id")}
        seen = [column.in_(self._visible(kind)) for kind, column in on.items()]
        nothing = and_(true(), *(column.is_(None) for column in on.values()))
        if own is None:
            return or_(*seen, nothing)
        mine = getattr(columns, own)
        alone = [and_(nothing, mine.is_(None))] if self.unowned else []
        return or_(mine.in_(sorted(self.users)), *seen, *alone)


@cache
def _aliased(kind: str) -> FromClause:
    return _table(_ELEMENTS[kind]).alias()


_SIGHT: ContextVar[Sight | None] = ContextVar("sight", default=None)


def of_role(role: Role, settings: Mapping[str, Right]) -> Right:
    """What the workspace lets a role see and change."""
    found = settings.get(role.value, DEFAULTS[role])
    order = list(Reach)
    if order.index(found.change) > order.index(found.see):
        return Right(see=found.see, change=found.see)
    return found


def sight(session: Session, user: User, reach: Reach) -> Sight | None:
    """What a user has in sight; None for everything."""
    if reach is Reach.ALL:
        return None
    if reach is Reach.TEAM:
        teams = select(TeamMember.team_id).where(TeamMember.user_id == user.id)
        mates = session.scalars(select(TeamMember.user_id).where(TeamMember.team_id.in_(teams)))
        return Sight(frozenset({user.id, *mates}), unowned=True)
    return Sight(frozenset({user.id}) if reach is Reach.OWN else frozenset(), unowned=False)


@contextmanager
def seeing(what: Sight | None) -> Iterator[None]:
    """Within this, what is read is what is in sight."""
    before = _SIGHT.set(what)
    try:
        yield
    finally:
        _SIGHT.reset(before)


def present() -> Sight | None:
    """What is in sight now, for whoever goes on after the request; None for everything."""
    return _SIGHT.get()


def look(what: Sight | None) -> None:
    """From now on, in this request, what is read is what is in sight."""
    _SIGHT.set(what)


def missing(session: Session, place: str, row_id: int) -> bool:
    """Whether what an address names is not in sight; what no element has to do with always is."""
    table = PLACES.get(place)
    return table is not None and _hidden(session, table, row_id)


def unseen(session: Session, body: Any, pointer: str = "", *, other: str = "") -> Iterator[str]:
    """JSON pointers to the numbers in a body that name what is not in sight.

    `other` is the place of what a body calls `other`: another of the kind that its address names.
    """
    if isinstance(body, dict):
        for name, value in body.items():
            table = PLACES.get(other) if name == "other" else NAMED.get(name)
            if table is not None and isinstance(value, int) and not isinstance(value, bool):
                if 0 < value < 2**63 and _hidden(session, table, value):
                    yield f"{pointer}/{name}"
            else:
                yield from unseen(session, value, f"{pointer}/{name}")
    elif isinstance(body, list):
        for place, value in enumerate(body[:1000]):
            yield from unseen(session, value, f"{pointer}/{place}")


def _hidden(session: Session, table: type[Base], row_id: int) -> bool:
    # By the mapped attribute: a statement over bare columns is not narrowed.
    number = getattr(table, "id")  # noqa: B009  each of these tables has one
    return session.scalar(select(number).where(number == row_id)) is None


def _table(mapped: type[Base]) -> Table:
    return Base.metadata.tables[mapped.__tablename__]


@event.listens_for(Session, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    what = _SIGHT.get()
    if what is None or not state.is_select or state.is_column_load:
        return
    if state.session.info.get("reading"):
        state.statement = state.statement.options(*what.criteria())
