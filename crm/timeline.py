"""The only writer of timelines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from core import clock
from crm.element import Element, place_of
from models.company import Company
from models.contact import Contact
from models.deal import DealContact
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


def of(session: Session, element: Element) -> Select[TimelineEntry]:
    """What happened to an element, in no order; to a contact also on the deals it has a part in."""
    if isinstance(element, Lead):
        return select(TimelineEntry).where(TimelineEntry.lead_id == element.id)
    if isinstance(element, Company):
        return select(TimelineEntry).where(TimelineEntry.company_id == element.id)
    if isinstance(element, Contact):
        chosen = select(DealContact.deal_id).where(DealContact.contact_id == element.id).limit(1000)
        deals = session.scalars(chosen).all()
        own = TimelineEntry.contact_id == element.id
        return select(TimelineEntry).where(or_(own, TimelineEntry.deal_id.in_(deals)) if deals else own)
    return select(TimelineEntry).where(TimelineEntry.deal_id == element.id)


def pin(session: Session, entry: TimelineEntry, *, pinned: bool) -> None:
    """Keeps an entry at the top of its timelines, or not any more."""
    entry.pinned = pinned
    session.flush()
