"""The only writer of timelines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, insert, or_, select, union
from sqlalchemy.orm import Session

from core import clock
from crm.element import Element, place_of
from models.company import Company
from models.deal import Deal, DealContact
from models.lead import Lead
from models.timeline import TimelineEntry

SERVICE = "service"


def record(
    session: Session,
    element: Element,
    *,
    kind: str,
    summary: str,
    actor: str = SERVICE,
    data: Mapping[str, Any] | None = None,
    event_id: str | None = None,
    at: datetime | None = None,
) -> TimelineEntry:
    """Adds an entry to an element's timeline. `summary` is one line for people; `data` is for programs."""
    place = place_of(element)
    entry = TimelineEntry(
        at=at or clock.now(),
        kind=kind,
        summary=summary,
        actor=actor,
        data=dict(data or {}),
        lead_id=place.lead_id,
        contact_id=place.contact_id,
        company_id=place.company_id,
        deal_id=place.deal_id,
        event_id=event_id,
    )
    session.add(entry)
    return entry


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of an element that is in the database: see `record`."""

    element: Element
    summary: str
    data: Mapping[str, Any]
    at: datetime


def record_all(session: Session, told: Sequence[Told], *, kind: str, actor: str) -> None:
    """Adds many entries at once, of a kind of which nobody outside is told (see rules.outside)."""
    rows = [
        {
            "at": one.at,
            "kind": kind,
            "summary": one.summary,
            "actor": actor,
            "data": dict(one.data),
            **asdict(place_of(one.element)),
        }
        for one in told
    ]
    if rows:
        session.execute(insert(TimelineEntry), rows)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries are wanted; one must fit all that are given.

    `actor` is one such as `user:7`, or a kind of them: `rule`. `words` stand in the summary, in any case.
    """

    kinds: Collection[str] = ()
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    pinned: bool | None = None
    words: str | None = None


def page(
    session: Session,
    element: Element,
    filters: Filters = Filters(),
    *,
    before: int | None = None,
    limit: int = 50,
) -> Sequence[TimelineEntry]:
    """The newest `limit` entries with an id less than `before`, newest first.

    What happened on its leads and deals stands on a contact's and on a company's timeline, too.
    """
    wanted = _conditions(filters)
    if before is not None:
        wanted.append(TimelineEntry.id < before)
    looks: list[Select[int]] = []
    for own in _places(session, element):
        # Each looks into its own index, for no more than can be on the page.
        newest = select(TimelineEntry.id).where(own, *wanted).order_by(TimelineEntry.id.desc()).limit(limit)
        looks.append(select(newest.subquery().c.id))
    ids = looks[0] if len(looks) == 1 else select(union(*looks).subquery().c.id)
    found = sorted(session.scalars(ids).all(), reverse=True)[:limit]
    chosen = select(TimelineEntry).where(TimelineEntry.id.in_(found))
    return session.scalars(chosen.order_by(TimelineEntry.id.desc())).all()


def of(session: Session, element: Element) -> Select[TimelineEntry]:
    """All that `page` leafs through, in no order."""
    return select(TimelineEntry).where(or_(*_places(session, element)))


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if filters.kinds:
        wanted.append(TimelineEntry.kind.in_(filters.kinds))
    if filters.actor is not None:
        of_kind = TimelineEntry.actor.startswith(f"{filters.actor}:", autoescape=True)
        wanted.append(or_(TimelineEntry.actor == filters.actor, of_kind))
    if filters.since is not None:
        wanted.append(TimelineEntry.at >= filters.since)
    if filters.until is not None:
        wanted.append(TimelineEntry.at < filters.until)
    if filters.pinned is not None:
        wanted.append(TimelineEntry.pinned.is_(filters.pinned))
    if filters.words:
        wanted.append(TimelineEntry.summary.icontains(filters.words, autoescape=True))
    return wanted


#: Of so many leads or deals each is looked at by itself; beyond that all together.
_APART = 30
_MOST = 1000


def _places(session: Session, element: Element) -> list[ColumnElement[bool]]:
    """Where entries of the element stand: on it, and of a contact or a company on its leads and deals."""
    own = getattr(TimelineEntry, f"{element.__tablename__}_id") == element.id
    if isinstance(element, Lead | Deal):
        return [own]
    if isinstance(element, Company):
        leads: ColumnElement[bool] = Lead.company_id == element.id
        deals: ColumnElement[bool] = Deal.company_id == element.id
    else:
        # Asked for first: with a subquery beside the other condition every deal would be looked at.
        further = select(DealContact.deal_id).where(DealContact.contact_id == element.id)
        part = session.scalars(further).all()
        leads = or_(Lead.contact_id == element.id, Lead.person_id == element.person_id)
        deals = or_(Deal.contact_id == element.id, Deal.id.in_(part))
    found = [own]
    around: tuple[tuple[Any, Select[int]], ...] = (
        (TimelineEntry.lead_id, select(Lead.id).where(leads).order_by(Lead.id.desc())),
        (TimelineEntry.deal_id, select(Deal.id).where(deals).order_by(Deal.id.desc())),
    )
    for column, chosen in around:
        ids = session.scalars(chosen.limit(_MOST)).all()
        if len(ids) > _APART:
            found.append(column.in_(ids))
        else:
            found += [column == row_id for row_id in ids]
    return found


def pin(session: Session, entry: TimelineEntry, *, pinned: bool) -> None:
    """Keeps an entry at the top of its timelines, or not any more."""
    entry.pinned = pinned
    session.flush()
