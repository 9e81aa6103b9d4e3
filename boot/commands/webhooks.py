"""Commands about outgoing webhooks: what was given up, and sending it again."""

from __future__ import annotations

import json

import click
from sqlalchemy import select

from boot.commands.configuration import begin
from core import db
from core.errors import Invalid, NotFound
from models.webhook import DeliveryState, WebhookDelivery
from rules import redelivery


@click.group()
def webhooks() -> None:
    """Endpoints outside that are told what happens."""


@webhooks.command("list")
@click.option("--endpoint", help="Of one endpoint.")
@click.option("--state", type=click.Choice([s.value for s in DeliveryState]), help="In this state.")
@click.option("--limit", default=50, show_default=True, help="Most that are shown, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_deliveries(endpoint: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Show what is and was sent.

    \b
    Example: portaria webhooks list --state dead
    """
    begin()
    chosen = select(WebhookDelivery).order_by(WebhookDelivery.id.desc()).limit(limit)
    if endpoint is not None:
        chosen = chosen.where(WebhookDelivery.endpoint == endpoint)
    if state is not None:
        chosen = chosen.where(WebhookDelivery.state == DeliveryState(state))
    with db.reading() as session:
        rows = session.scalars(chosen).all()
    if as_json:
        names = ("id", "endpoint", "event_id", "kind", "state", "attempts", "result", "created_at")
        click.echo(json.dumps([{name: getattr(row, name) for name in names} for row in rows], default=str))
        return
    for row in rows:
        click.echo(
            f"{row.id}  {row.created_at:%Y-%m-%d %H:%M:%S}  {row.endpoint}  {row.kind}  {row.state.value}  "
            f"{row.attempts}x  {row.result}"
        )
    if not rows:
        click.echo("Nothing was sent.")


@webhooks.command("replay")
@click.argument("numbers", nargs=-1, type=int)
@click.option("--endpoint", help="All that was given up of this endpoint.")
def replay(numbers: tuple[int, ...], endpoint: str | None) -> None:
    """Send deliveries again, by their numbers or all that were given up of an endpoint.

    \b
    Example: portaria webhooks replay --endpoint crm-sync
    """
    begin()
    if bool(numbers) == (endpoint is not None):
        raise Invalid("name the deliveries to send again, or say --endpoint")
    with db.unit_of_work() as session:
        done = redelivery.replay_dead(session, endpoint) if endpoint is not None else len(numbers)
        for number in numbers:
            row = session.get(WebhookDelivery, number, with_for_update=True)
            if row is None:
                raise NotFound(f"there is no delivery {number}")
            redelivery.replay(session, row)
    click.echo(f"{done} deliveries are sent again.")


@webhooks.command("enable")
@click.argument("key")
def enable(key: str) -> None:
    """Tell an endpoint again that was disabled.

    \b
    Example: portaria webhooks enable crm-sync
    """
    begin()
    with db.unit_of_work() as session:
        redelivery.enable(session, key)
    click.echo(f"The webhook '{key}' is told what happens from now on.")


COMMANDS = (webhooks,)
