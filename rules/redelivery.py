"""Sends webhooks again: one, or all that were given up of an endpoint."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Conflict, NotFound
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from models.workspace import WorkspaceRow


def replay(session: Session, row: WebhookDelivery) -> None:
    """Sends a delivery again at once, under its old id; its attempts are counted anew.

    Raises Conflict for one whose content was erased.
    """
    if not row.body:
        raise Conflict("its content was erased")
    row.state, row.attempts, row.due_at, row.ended_at = DeliveryState.WAITING, 0, clock.now(), None
    session.flush()
    queue.wake(session, queue.DELIVER, row.id)


def replay_dead(session: Session, key: str) -> int:
    """Sends again what was given up of an endpoint; says how many. Raises NotFound."""
    _declared(session, key)
    ids = session.scalars(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.endpoint == key,
            WebhookDelivery.state == DeliveryState.DEAD,
            WebhookDelivery.body != "",
        )
        .values(state=DeliveryState.WAITING, attempts=0, due_at=clock.now(), ended_at=None)
        .returning(WebhookDelivery.id)
    ).all()
    if ids:
        queue.wake(session, queue.DELIVER, ids[0])
    return len(ids)


def enable(session: Session, key: str) -> None:
    """Tells an endpoint again that was disabled, as if it had never failed. Raises NotFound."""
    _declared(session, key)
    session.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.key == key)
        .values(failing_since=None, disabled_at=None, reason="")
    )


def disabled(session: Session) -> dict[str, str]:
    """The endpoints that are told nothing any more, and why."""
    rows = session.scalars(select(WebhookEndpoint).where(WebhookEndpoint.disabled_at.is_not(None)))
    return {row.key: row.reason for row in rows}


def _declared(session: Session, key: str) -> None:
    row = session.get(WorkspaceRow, 1)
    if row is None or not any(endpoint["key"] == key for endpoint in row.webhooks):
        raise NotFound(f"there is no webhook '{key}'")
