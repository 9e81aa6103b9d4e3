"""What the pages read: selects, a fixed number for each page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, TextClause, func, or_, select, text
from sqlalchemy.orm import Session, joinedload, selectinload

from crm import call_orders
from crm.element import Element
from models.activity import Activity, ActivityParticipant, ActivityState
from models.call import Call
from models.call_order import CallOrder
from models.contact_point import ContactPoint
from models.lead import UNANSWERED, Lead, LeadStatus
from models.timeline import TimelineEntry
from models.user import User

PAGE = 50
#: Of one lead's activities: nobody has so many to do.
MOST_ACTIVITIES = 200
#: As many digits may be meant as a telephone number.
_FEWEST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the list is wanted. `owner` is a user's id, or `none` for leads without one.

    `before` and `after` are ids of leads: the page of older, or of newer ones.
    """

    statuses: Collection[LeadStatus] = ()
    owner: int | str | None = None
    q: str = ""
    unanswered: bool = False
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Leads, newest first, with when each has its next activity; the ids to go on with either way."""

    leads: Sequence[Lead]
    next_due: dict[int, datetime]
    older: int | None
    newer: int | None


def page_of_leads(session: Session, filters: Filters) -> Page:
    """One page of the list, without leads that became part of another."""
    wanted = select(Lead).options(joinedload(Lead.owner), joinedload(Lead.source)).limit(PAGE + 1)
    wanted = wanted.where(*_conditions(filters))
    if filters.after is not None:
        found = list(session.scalars(wanted.where(Lead.id > filters.after).order_by(Lead.id)))
        more, leads = len(found) > PAGE, found[:PAGE][::-1]
        newer_exist, older_exist = more, True
    else:
        if filters.before is not None:
            wanted = wanted.where(Lead.id < filters.before)
        found = list(session.scalars(wanted.order_by(Lead.id.desc())))
        more, leads = len(found) > PAGE, found[:PAGE]
        newer_exist, older_exist = filters.before is not None, more
    return Page(
        leads=leads,
        next_due=_next_due(session, [lead.id for lead in leads]),
        older=leads[-1].id if leads and older_exist else None,
        newer=leads[0].id if leads and newer_exist else None,
    )


def _conditions(filters: Filters) -> list[ColumnElement[bool] | TextClause]:
    found: list[ColumnElement[bool] | TextClause] = [
        Lead.status.in_(filters.statuses) if filters.statuses else Lead.status != LeadStatus.MERGED
    ]
    if filters.unanswered:
        found.append(text(UNANSWERED))
    if filters.owner is not None:
        found.append(Lead.owner_id.is_(None) if filters.owner == "none" else Lead.owner_id == filters.owner)
    if filters.q:
        texts = (Lead.name, Lead.title, Lead.email, Lead.company, Lead.message)
        matches = [column.icontains(filters.q, autoescape=True) for column in texts]
        digits = "".join(c for c in filters.q if c in "0123456789")
        # Only what is written like a number: the digits of an address are none.
        if len(digits) >= _FEWEST_DIGITS and not any(c.isalpha() for c in filters.q):
            matches.append(Lead.phone.contains(digits))
        found.append(or_(*matches))
    return found


def _next_due(session: Session, lead_ids: Sequence[int]) -> dict[int, datetime]:
    rows = session.execute(
        select(Activity.lead_id, func.min(Activity.due_at))
        .where(Activity.lead_id.in_(lead_ids), Activity.state == ActivityState.PLANNED)
        .group_by(Activity.lead_id)
    )
    return {lead_id: due_at for lead_id, due_at in rows if lead_id is not None}


def has_leads(session: Session) -> bool:
    """Whether there is any lead at all."""
    return session.scalar(select(Lead.id).limit(1)) is not None


def owners(session: Session) -> Sequence[User]:
    """Who may own leads, by name."""
    return session.scalars(select(User).where(User.active).order_by(User.name, User.id)).all()


def lead(session: Session, lead_id: int) -> Lead | None:
    """A lead with its owner and source."""
    return session.get(
        Lead, lead_id, options=(joinedload(Lead.owner), joinedload(Lead.source), joinedload(Lead.sla))
    )


def planned(session: Session, row_id: int, kind: str = "lead") -> Sequence[Activity]:
    """What is to be done, the next first."""
    return session.scalars(
        _activities(row_id, kind)
        .where(Activity.state == ActivityState.PLANNED)
        .options(
            selectinload(Activity.participants).joinedload(ActivityParticipant.user),
            selectinload(Activity.participants).joinedload(ActivityParticipant.contact),
        )
        .order_by(Activity.due_at, Activity.id)
    ).all()


def over(session: Session, row_id: int, kind: str = "lead") -> Sequence[Activity]:
    """What was done or cancelled, the latest first."""
    return session.scalars(
        _activities(row_id, kind)
        .where(Activity.state != ActivityState.PLANNED)
        .order_by(Activity.due_at.desc(), Activity.id.desc())
    ).all()


def _activities(row_id: int, kind: str) -> Select[Activity]:
    mine = getattr(Activity, f"{kind}_id") == row_id
    found = select(Activity).where(mine).options(joinedload(Activity.owner))
    return found.limit(MOST_ACTIVITIES)


def contact_points(session: Session, person_id: int) -> Sequence[ContactPoint]:
    """All addresses and numbers of a person."""
    return session.scalars(
        select(ContactPoint).where(ContactPoint.person_id == person_id).order_by(ContactPoint.id)
    ).all()


def calls(session: Session, entries: Iterable[TimelineEntry]) -> dict[int, Call]:
    """The calls that entries of a timeline are about, by their id."""
    ids = {e.data.get("call") for e in entries if e.kind == "call"}
    found = session.scalars(
        select(Call)
        .where(Call.id.in_([i for i in ids if isinstance(i, int)]))
        .options(
            joinedload(Call.source),
            joinedload(Call.user),
            joinedload(Call.rung_user),
            selectinload(Call.recordings),
        )
    )
    return {call.id: call for call in found}


def call_order(session: Session, element: Element) -> CallOrder | None:
    """The last call that was ordered to this lead, deal or contact, with how far it has come."""
    newest = call_orders.latest(element).options(
        joinedload(CallOrder.call), joinedload(CallOrder.user), selectinload(CallOrder.commands)
    )
    return session.scalars(newest).one_or_none()


def names(session: Session, user_ids: Collection[int]) -> dict[int, str]:
    """The names of users."""
    if not user_ids:
        return {}
    rows = session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))
    return {row.id: row.name for row in rows}
