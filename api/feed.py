"""The feed of what happened, with a cursor; and the webhooks by which the same is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import auth
from api.paging import Page, page
from api.parameters import Line, PageQuery, Query, RowPath
from api.resource import answer, group, refused
from core import db
from core.errors import NotFound
from models.domain_event import DomainEvent
from models.user import Role
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from models.workspace import WorkspaceRow
from rules import feed, redelivery
from rules.outbox import PREFIX

resource = group("webhooks", "What happened: as a feed, and told to endpoints")


class FeedQuery(Query):
    """From where on."""

    after: int = Field(0, ge=0, le=2**63 - 1, description="`next_cursor` of the answer before")
    type: Line | None = Field(None, description="Only this kind, such as lead.created")
    limit: int = Field(100, ge=1, le=1000)


class HappenedEvent(BaseModel):
    """Something that happened. Its id is the `webhook-id` under which endpoints are told of it."""

    id: str
    type: str
    at: datetime
    lead_id: int | None
    data: dict[str, Any]

    @classmethod
    def of(cls, row: DomainEvent) -> Self:
        """An event as it is told."""
        return cls(id=f"{PREFIX}{row.event_id}", type=row.kind, at=row.at, lead_id=row.lead_id, data=row.data)


class Feed(BaseModel):
    """What happened, oldest first. Nothing is ever put in before a cursor that was given out."""

    items: list[HappenedEvent]
    next_cursor: str = Field(description="For `after`, also where nothing more has happened yet")


class Endpoint(BaseModel):
    """An endpoint of the workspace's `webhooks`, and how it is doing."""

    key: str
    url: str
    events: list[str]
    failing_since: datetime | None
    disabled_at: datetime | None
    reason: str
    waiting: int
    dead: int


class Endpoints(BaseModel):
    """All endpoints."""

    items: list[Endpoint]


class Delivery(BaseModel):
    """An event on its way to an endpoint."""

    id: int
    endpoint: str
    event: str
    type: str
    lead_id: int | None
    state: DeliveryState
    attempts: int
    result: str
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: WebhookDelivery) -> Self:
        """A delivery as it is told."""
        told = {name: getattr(row, name) for name in cls.model_fields if name not in ("event", "type")}
        return cls(**told, event=f"{PREFIX}{row.event_id}", type=row.kind)


class DeliveryQuery(PageQuery):
    """The filters of deliveries."""

    endpoint: Line | None = Field(None, description="The endpoint's key")
    state: DeliveryState | None = None


class KeyPath(BaseModel):
    """An endpoint's key in an address."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")


class Replayed(BaseModel):
    """How many are sent again."""

    replayed: int


@resource.get("/feed", responses={200: Feed})
def read_feed(query: FeedQuery) -> Response:
    """What happened since the cursor, oldest first; kept for thirty days."""
    with db.unit_of_work() as session:  # what is new is given its place in the feed now
        rows, cursor = feed.read(session, after=query.after, kind=query.type, limit=query.limit)
        made = Feed(items=[HappenedEvent.of(row) for row in rows], next_cursor=str(cursor))
    return answer(made)


@resource.get("/webhooks", responses={200: Endpoints})
def list_webhooks() -> Response:
    """The endpoints, and how they are doing. Secrets are not told."""
    with db.reading() as session:
        made = Endpoints(items=_endpoints(session))
    return answer(made)


@resource.post("/webhooks/<key>/enable", responses={200: Endpoints, **refused(404)})
@auth.require(Role.ADMIN, Role.MANAGER)
def enable_webhook(path: KeyPath) -> Response:
    """Tells an endpoint again that was disabled."""
    with db.unit_of_work() as session:
        redelivery.enable(session, path.key)
        made = Endpoints(items=_endpoints(session))
    return answer(made)


@resource.post("/webhooks/<key>/replay", responses={200: Replayed, **refused(404)})
@auth.require(Role.ADMIN, Role.MANAGER)
def replay_webhook(path: KeyPath) -> Response:
    """Sends again what was given up of one endpoint."""
    with db.unit_of_work() as session:
        made = Replayed(replayed=redelivery.replay_dead(session, path.key))
    return answer(made)


@resource.get("/webhook-deliveries", responses={200: Page[Delivery]})
def list_deliveries(query: DeliveryQuery) -> Response:
    """What is and was sent, newest first."""
    with db.reading() as session:
        chosen = select(WebhookDelivery)
        if query.endpoint is not None:
            chosen = chosen.where(WebhookDelivery.endpoint == query.endpoint)
        if query.state is not None:
            chosen = chosen.where(WebhookDelivery.state == query.state)
        rows, following = page(session, chosen, WebhookDelivery.id, query, of="webhook-deliveries")
    return answer(Page[Delivery](items=[Delivery.of(row) for row in rows], next_cursor=following))


@resource.post("/webhook-deliveries/<row:id>/replay", responses={200: Delivery, **refused(404)})
@auth.require(Role.ADMIN, Role.MANAGER)
def replay_delivery(path: RowPath) -> Response:
    """Sends one again, under its old id."""
    with db.unit_of_work() as session:
        row = session.get(WebhookDelivery, path.id, with_for_update=True)
        if row is None:
            raise NotFound("there is no such delivery")
        redelivery.replay(session, row)
        made = Delivery.of(row)
    return answer(made)


def _endpoints(session: Session) -> list[Endpoint]:
    workspace = session.get(WorkspaceRow, 1)
    standing = {e.key: e for e in session.scalars(select(WebhookEndpoint))}
    counted = session.execute(
        select(WebhookDelivery.endpoint, WebhookDelivery.state, func.count())
        .where(WebhookDelivery.state != DeliveryState.DONE)
        .group_by(WebhookDelivery.endpoint, WebhookDelivery.state)
    )
    counts = {(endpoint, state): number for endpoint, state, number in counted}
    found = []
    for stored in workspace.webhooks if workspace else ():
        key = stored["key"]
        state = standing.get(key) or WebhookEndpoint(key=key, reason="")
        found.append(
            Endpoint(
                key=key,
                url=stored["url"],
                events=stored.get("events") or ["*"],
                failing_since=state.failing_since,
                disabled_at=state.disabled_at,
                reason=state.reason,
                waiting=counts.get((key, DeliveryState.WAITING), 0),
                dead=counts.get((key, DeliveryState.DEAD), 0),
            )
        )
    return found
