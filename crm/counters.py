"""Counters: how much of what is to be done is overdue, due today, unanswered, or without a next step.

They are counted when they are asked for, from indexes that hold only what is planned, open or waiting: there
is nothing to keep in step, and what was done long ago costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    union,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock
from crm.element import Element
from crm.workspace import WorkspaceSettings
from models.activity import Activity
from models.company import Company
from models.contact import Contact
from models.deal import Deal, DealContact
from models.lead import UNANSWERED, Lead
from models.user import TeamMember

# Written out, so that a database sees that an index with the same condition has all that is asked for.
_PLANNED = Activity.state == literal_column("'planned'")
_OPEN_LEAD = Lead.status.in_([literal_column("'new'"), literal_column("'in_progress'")])
_OPEN_DEAL = Deal.state == literal_column("'open'")


@dataclass(frozen=True, slots=True)
class Counters:
    """Numbers of activities (`overdue`, `due_today`) and of leads, deals and contacts (the others).

    What is overdue is not due today as well. `unanswered`: heard of after anybody of ours last turned to
    them. `without_next_step`: an open lead or deal on which nothing is planned.
    """

    overdue: int = 0
    due_today: int = 0
    unanswered: int = 0
    without_next_step: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(*(getattr(self, n) + getattr(other, n) for n in self.__slots__))

    @property
    def told(self) -> dict[str, int]:
        """By name, as JSON knows it."""
        return {name: getattr(self, name) for name in self.__slots__}


def of_users(
    session: Session, here: WorkspaceSettings, user_ids: Iterable[int] | None = None
) -> dict[int | None, Counters]:
    """The counters of these users, or of all; those of None are of what nobody has.

    Users of whom there is nothing to count are left out.
    """
    ids = None if user_ids is None else list(user_ids)
    now = clock.now()
    found: dict[int | None, Counters] = {}

    def add(rows: Iterable[tuple[int | None, Counters]]) -> None:
        for owner_id, counted in rows:
            found[owner_id] = found.get(owner_id, Counters()) + counted

    overdue = func.sum(case((Activity.due_at < now, 1), else_=0))
    due = (
        select(Activity.owner_id, overdue, func.count())
        .where(_PLANNED, Activity.due_at < tomorrow(here, now), _whose(Activity.owner_id, ids))
        .group_by(Activity.owner_id)
    )
    add((r[0], Counters(overdue=int(r[1]), due_today=r[2] - int(r[1]))) for r in session.execute(due))
    for chosen in _unanswered(ids):
        add((r[0], Counters(unanswered=r[1])) for r in session.execute(chosen))
    for chosen in _without_next_step(ids):
        add((r[0], Counters(without_next_step=r[1])) for r in session.execute(chosen))
    return found


def of_team(session: Session, here: WorkspaceSettings, team_id: int) -> Counters:
    """The counters of a team's members together."""
    members = session.scalars(select(TeamMember.user_id).where(TeamMember.team_id == team_id)).all()
    total = Counters()
    for counted in of_users(session, here, members).values():
        total += counted
    return total


def of_element(session: Session, here: WorkspaceSettings, element: Element) -> Counters:
    """The counters of a lead or a deal; of a contact or a company with all of its leads and deals."""
    now = clock.now()
    leads, deals = _around(session, element)
    on = [getattr(Activity, f"{element.__tablename__}_id") == element.id]
    if isinstance(element, Contact | Company):
        if leads is not None:
            on.append(Activity.lead_id.in_(session.scalars(select(Lead.id).where(leads)).all()))
        if deals is not None:
            on.append(Activity.deal_id.in_(session.scalars(select(Deal.id).where(deals)).all()))
    # One look for each column, so that each finds its own index; an activity on several counts once.
    due = [
        select(Activity.id, Activity.due_at).where(one, _PLANNED, Activity.due_at < tomorrow(here, now))
        for one in on
    ]
    moments = {row[0]: row[1] for row in session.execute(union(*due))}
    overdue = sum(1 for at in moments.values() if at < now)
    counted = Counters(overdue=overdue, due_today=len(moments) - overdue)
    if leads is not None:
        counted += Counters(
            unanswered=_count(session, select(func.count(Lead.id)).where(leads, text(UNANSWERED))),
            without_next_step=_count(
                session, select(func.count(Lead.id)).where(leads, _OPEN_LEAD, _nothing_next(Lead))
            ),
        )
    if deals is not None:
        waits = select(func.count(Deal.id)).where(deals, Deal.waits_since.is_not(None))
        idle = select(func.count(Deal.id)).where(deals, _OPEN_DEAL, _nothing_next(Deal))
        counted += Counters(unanswered=_count(session, waits), without_next_step=_count(session, idle))
    if isinstance(element, Contact) and element.waits_since is not None:
        counted = replace(counted, unanswered=counted.unanswered + 1)
    if isinstance(element, Company):
        waits = select(func.count(Contact.id)).where(
            Contact.company_id == element.id, Contact.waits_since.is_not(None)
        )
        counted = replace(counted, unanswered=counted.unanswered + _count(session, waits))
    return counted


def tomorrow(here: WorkspaceSettings, now: datetime) -> datetime:
    """When the day that it is now in the workspace's zone is over."""
    today = now.astimezone(here.zone).date()
    return datetime.combine(today + timedelta(days=1), datetime.min.time(), here.zone)


def _around(
    session: Session, element: Element
) -> tuple[ColumnElement[bool] | None, ColumnElement[bool] | None]:
    if isinstance(element, Lead):
        return Lead.id == element.id, None
    if isinstance(element, Deal):
        return None, Deal.id == element.id
    if isinstance(element, Contact):
        # Asked for first: with a subquery beside the other condition every deal would be looked at.
        chosen = select(DealContact.deal_id).where(DealContact.contact_id == element.id)
        part = session.scalars(chosen).all()
        theirs = or_(Lead.contact_id == element.id, Lead.person_id == element.person_id)
        return theirs, or_(Deal.contact_id == element.id, Deal.id.in_(part))
    return Lead.company_id == element.id, Deal.company_id == element.id


def unanswered_leads(ids: Sequence[int] | None) -> Select[Lead]:
    """The leads of these users, or of all, that are counted as unanswered."""
    return select(Lead).where(text(UNANSWERED), _whose(Lead.owner_id, ids))


def leads_without_next_step(ids: Sequence[int] | None) -> Select[Lead]:
    """The open leads of these users, or of all, on which nothing is planned."""
    return select(Lead).where(_OPEN_LEAD, _nothing_next(Lead), _whose(Lead.owner_id, ids))


def deals_without_next_step(ids: Sequence[int] | None) -> Select[Deal]:
    """The open deals of these users, or of all, on which nothing is planned."""
    return select(Deal).where(_OPEN_DEAL, _nothing_next(Deal), _whose(Deal.owner_id, ids))


def _unanswered(ids: Sequence[int] | None) -> list[Select[int | None, int]]:
    waiting = [
        select(table.owner_id, func.count())
        .where(table.waits_since.is_not(None), _whose(table.owner_id, ids))
        .group_by(table.owner_id)
        for table in (Deal, Contact)
    ]
    return [_by_owner(unanswered_leads(ids), Lead), *waiting]


def _without_next_step(ids: Sequence[int] | None) -> list[Select[int | None, int]]:
    return [_by_owner(leads_without_next_step(ids), Lead), _by_owner(deals_without_next_step(ids), Deal)]


def _by_owner(chosen: Select[Any], table: type[Lead | Deal]) -> Select[int | None, int]:
    return chosen.with_only_columns(table.owner_id, func.count()).group_by(table.owner_id)


def _nothing_next(table: type[Lead | Deal]) -> ColumnElement[bool]:
    column = Activity.lead_id if table is Lead else Activity.deal_id
    return ~exists().where(and_(column == table.id, _PLANNED))


def _whose(column: InstrumentedAttribute[int | None], ids: Sequence[int] | None) -> ColumnElement[bool]:
    return column.in_(ids) if ids is not None else literal_column("1") == literal_column("1")


def _count(session: Session, chosen: Select[int]) -> int:
    return session.scalar(chosen) or 0
