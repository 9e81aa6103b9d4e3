"""The only writer of timelines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core import clock
from models.lead import Lead
from models.timeline import TimelineEntry

SERVICE = "service"


def record(
    session: Session,
    lead: Lead,
    *,
    kind: str,
    summary: str,
    actor: str = SERVICE,
    data: Mapping[str, Any] | None = None,
    event_id: str | None = None,
    at: datetime | None = None,
) -> TimelineEntry:
    """Adds an entry to a lead's timeline. `summary` is one line for people; `data` is for programs."""
    entry = TimelineEntry(
        at=at or clock.now(),
        kind=kind,
        summary=summary,
        actor=actor,
        data=dict(data or {}),
        lead_id=lead.id,
        contact_id=lead.contact_id,
        event_id=event_id,
    )
    session.add(entry)
    return entry
