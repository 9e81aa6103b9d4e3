"""What is and was told to endpoints outside, and telling it again."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from console import auth
from core import db
from core.errors import NotAllowed, NotFound
from models.user import Role
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from models.workspace import WorkspaceRow
from rules import redelivery

_MOST = 100
_ROLES = (Role.ADMIN, Role.MANAGER)


def all_deliveries() -> ResponseReturnValue:
    """The endpoints and how they stand, and the newest deliveries, of one state where that is asked for."""
    _allowed()
    asked = request.args.get("state", "")
    chosen = select(WebhookDelivery).order_by(WebhookDelivery.id.desc()).limit(_MOST)
    if asked in list(DeliveryState):
        chosen = chosen.where(WebhookDelivery.state == DeliveryState(asked))
    with db.reading() as session:
        row = session.get(WorkspaceRow, 1)
        standing = {e.key: e for e in session.scalars(select(WebhookEndpoint))}
        endpoints = [(e, standing.get(str(e["key"]))) for e in (row.webhooks if row else [])]
        deliveries = session.scalars(chosen).all()
    return render_template(
        "console/deliveries.html",
        endpoints=endpoints,
        deliveries=deliveries,
        states=[s.value for s in DeliveryState],
        asked=asked,
    )


def replay(delivery_id: int) -> ResponseReturnValue:
    """Sends one again."""
    _allowed()
    with db.unit_of_work() as session:
        row = session.get(WebhookDelivery, delivery_id, with_for_update=True)
        if row is None:
            raise NotFound("There is no such delivery.")
        redelivery.replay(session, row)
    return redirect(url_for("console.deliveries", state=request.form.get("state") or None), 303)


def replay_dead(key: str) -> ResponseReturnValue:
    """Sends again all that was given up of an endpoint."""
    _allowed()
    with db.unit_of_work() as session:
        redelivery.replay_dead(session, key)
    return redirect(url_for("console.deliveries"), 303)


def _allowed() -> None:
    if auth.current_user().role not in _ROLES:
        raise NotAllowed("This is for managers.")
