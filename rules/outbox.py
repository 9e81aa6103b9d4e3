"""What happened, written beside it: for the feed, and for the endpoints that want to be told.

One insert for all that one transaction makes happen; where no endpoint is declared, nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core import clock, queue
from core.ids import new_id
from crm.happening import Happening
from models.domain_event import DomainEvent
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from models.workspace import WorkspaceRow
from rules import facts
from rules.webhooks import wanting

_EVENT = DomainEvent.metadata.tables["domain_event"]
#: An event's id, as the feed and the webhooks name it.
PREFIX = "evt_"


def record(session: Session, happenings: Sequence[Happening], *, quiet: bool = False) -> None:
    """Writes the happenings down; with `quiet` for the feed alone."""
    if not happenings:
        return
    now = clock.now()
    ids = [new_id() for _ in happenings]
    rows = [
        {
            "event_id": event_id,
            "at": now,
            "kind": happening.trigger,
            "lead_id": happening.lead.id,
            "data": _data(happening),
        }
        for happening, event_id in zip(happenings, ids, strict=True)
    ]
    session.execute(insert(_EVENT), rows)  # Core, not ORM: it is on every enquiry's way
    row = session.get(WorkspaceRow, 1)
    if row is None or not row.webhooks or quiet:
        return
    off = select(WebhookEndpoint.key).where(WebhookEndpoint.disabled_at.is_not(None))
    disabled = set(session.scalars(off))
    deliveries = [
        WebhookDelivery(
            endpoint=key,
            event_id=event_id,
            kind=happening.trigger,
            lead_id=happening.lead.id,
            body=_body(event_id, happening, now.isoformat()),
            state=DeliveryState.WAITING,
            due_at=now,
            created_at=now,
        )
        for happening, event_id in zip(happenings, ids, strict=True)
        for key in wanting(row.webhooks, happening.trigger)
        if key not in disabled
    ]
    if deliveries:
        session.add_all(deliveries)
        session.flush()
        queue.wake(session, queue.DELIVER, deliveries[0].id)


def _data(happening: Happening) -> dict[str, object]:
    told: dict[str, object] = dict(happening.data)
    if happening.call is not None:
        told["call_id"] = happening.call.id
    if happening.activity is not None:
        told["activity_id"] = happening.activity.id
    return told


def _body(event_id: str, happening: Happening, at: str) -> str:
    data: dict[str, object] = {"lead": facts.lead_facts(happening.lead), "event": dict(happening.data)}
    if happening.call is not None:
        data["call"] = facts.call_facts(happening.call)
    if happening.activity is not None:
        data["activity"] = facts.activity_facts(happening.activity)
    told = {"id": f"{PREFIX}{event_id}", "type": happening.trigger, "timestamp": at, "data": data}
    return json.dumps(told, default=str)
