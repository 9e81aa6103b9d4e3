"""What happened, written beside it: for the feed, and for the endpoints that want to be told.

One insert for all that one transaction makes happen; where no endpoint is declared, nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from core.appended import leave
from core.ids import new_id
from crm.happening import Happening
from models.domain_event import DomainEvent
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from models.workspace import WorkspaceRow
from rules import facts
from rules.webhooks import wanting

#: An event's id, as the feed and the webhooks name it.
PREFIX = "evt_"


#: An event outside of rules: kind, lead, what it says, and the elements as they are.
Outside = tuple[str, int | None, Mapping[str, Any], Mapping[str, Any]]


def record(session: Session, happenings: Sequence[Happening], *, quiet: bool = False) -> None:
    """Writes the happenings down; with `quiet` for the feed alone."""
    now = clock.now()
    events = [
        _Event(h.trigger, h.lead.id if h.lead else None, _data(h), partial(_body, h)) for h in happenings
    ]
    _write(session, events, now, quiet=quiet)


def record_outside(session: Session, told: Sequence[Outside]) -> None:
    """Writes down what no rule is told of: see rules.outside."""
    events = [
        _Event(kind, lead_id, {**data, **_ids(elements)}, partial(_outside_body, kind, data, elements))
        for kind, lead_id, data, elements in told
    ]
    _write(session, events, clock.now(), quiet=False)


@dataclass(frozen=True, slots=True)
class _Event:
    kind: str
    lead_id: int | None
    data: Mapping[str, object]
    body: Callable[[str, str], str]


def _write(session: Session, events: Sequence[_Event], now: datetime, *, quiet: bool) -> None:
    if not events:
        return
    ids = [new_id() for _ in events]
    for e, event_id in zip(events, ids, strict=True):
        row = {"event_id": event_id, "at": now, "kind": e.kind, "lead_id": e.lead_id, "data": dict(e.data)}
        leave(session, DomainEvent, **row)
    workspace = session.get(WorkspaceRow, 1)
    if workspace is None or not workspace.webhooks or quiet:
        return
    off = select(WebhookEndpoint.key).where(WebhookEndpoint.disabled_at.is_not(None))
    disabled = set(session.scalars(off))
    deliveries = [
        WebhookDelivery(
            endpoint=key,
            event_id=event_id,
            kind=e.kind,
            lead_id=e.lead_id,
            body=e.body(event_id, now.isoformat()),
            state=DeliveryState.WAITING,
            due_at=now,
            created_at=now,
        )
        for e, event_id in zip(events, ids, strict=True)
        for key in wanting(workspace.webhooks, e.kind)
        if key not in disabled
    ]
    if deliveries:
        session.add_all(deliveries)
        session.flush()
        queue.wake(session, queue.DELIVER, deliveries[0].id)


def _ids(elements: Mapping[str, Any]) -> dict[str, object]:
    return {f"{kind}_id": told["id"] for kind, told in elements.items() if kind != "lead"}


def _outside_body(
    kind: str, data: Mapping[str, Any], elements: Mapping[str, Any], event_id: str, at: str
) -> str:
    told = {"lead": None, **elements, "event": dict(data)}
    return json.dumps({"id": f"{PREFIX}{event_id}", "type": kind, "timestamp": at, "data": told}, default=str)


def _data(happening: Happening) -> dict[str, object]:
    told: dict[str, object] = dict(happening.data)
    if happening.call is not None:
        told["call_id"] = happening.call.id
    if happening.activity is not None:
        told["activity_id"] = happening.activity.id
    if happening.deal is not None:
        told["deal_id"] = happening.deal.id
    if happening.contact is not None:
        told["contact_id"] = happening.contact.id
    return told


def _body(happening: Happening, event_id: str, at: str) -> str:
    lead = facts.lead_facts(happening.lead) if happening.lead is not None else None
    data: dict[str, object] = {"lead": lead, "event": dict(happening.data)}
    if happening.deal is not None:
        data["deal"] = facts.deal_facts(happening.deal)
    if happening.contact is not None:
        data["contact"] = facts.contact_facts(happening.contact)
    if happening.call is not None:
        data["call"] = facts.call_facts(happening.call)
    if happening.activity is not None:
        data["activity"] = facts.activity_facts(happening.activity)
    told = {"id": f"{PREFIX}{event_id}", "type": happening.trigger, "timestamp": at, "data": data}
    return json.dumps(told, default=str)
