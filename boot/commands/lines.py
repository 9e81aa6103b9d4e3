"""Commands about telephone lines."""

from __future__ import annotations

import json

import click
from sqlalchemy.orm import Session

from boot.commands.configuration import begin
from core import db
from core.errors import Invalid
from intake import calling, reconciliation, subscriptions
from models.call_check import CallCheck
from models.source import Source
from worker import line_checks
from worker import subscriptions as looking_after


@click.group()
def lines() -> None:
    """Telephone lines."""


@lines.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """Show the lines: whether they place calls, and when their calls were last checked.

    \b
    Example: portaria lines list
    """
    begin()
    with db.reading() as session:
        found = [_told(session, source) for source in reconciliation.lines(session)]
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    for line in found:
        click.echo(f"{line['key']}  {line['provider']}")
        click.echo(f"  places calls: {line['places_none_because'] or 'yes'}")
        click.echo(f"  checked: {_words(line)}")
        if line["subscription"]:
            click.echo(f"  subscription: {line['subscription']}")
    if not found:
        click.echo("No lines.")


@lines.command("reconcile")
@click.argument("key", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reconcile(key: str | None, as_json: bool) -> None:
    """Look through the provider's list of calls, and fetch those of which we never heard.

    Without KEY every line whose provider has such a list and lets us in.

    \b
    Example: portaria lines reconcile main
    """
    begin()
    with db.reading() as session:
        chosen = [reconciliation.line(session, key)] if key else reconciliation.lines(session)
        able = [s for s in chosen if key or reconciliation.trouble(session, s) is None]
    if not able:
        raise Invalid("no line can be checked: see 'portaria lines list'")
    found = []
    for source in able:
        with db.unit_of_work() as session:
            reconciliation.ask(session, source)
        while _goes_on(source.id):
            line_checks.check(source.id)
        with db.reading() as session:
            found.append(_told(session, source))
    if as_json:
        click.echo(json.dumps(found, default=str))
    else:
        for line in found:
            click.echo(f"{line['key']}: {_words(line)}")
    if any(line["error"] for line in found):
        raise Invalid("not all lines could be checked")


@lines.command("subscribe")
@click.argument("key")
def subscribe(key: str) -> None:
    """Renew a line's subscription at its provider now, or ask for it anew.

    Providers such as RingCentral send their webhooks for a limited time only.

    \b
    Example: portaria lines subscribe main
    """
    begin()
    with db.unit_of_work() as session:
        source = reconciliation.line(session, key)
        subscriptions.ask(session, source)
    looking_after.renew(source.id)
    with db.reading() as session:
        stands = subscriptions.standing(session, reconciliation.line(session, key))
    click.echo(f"{key}: {stands.words if stands else ''}")
    if stands is not None and stands.error:
        raise Invalid("the subscription could not be renewed")


def _goes_on(source_id: int) -> bool:
    """Whether the check has more pages that can be had now."""
    return source_id in line_checks.due()


def _told(session: Session, source: Source) -> dict[str, object]:
    row = session.get(CallCheck, source.id)
    stands = subscriptions.standing(session, source)
    return {
        "key": source.key,
        "provider": source.settings.get("provider"),
        "places_none_because": calling.trouble(session, source),
        "not_checked_because": reconciliation.trouble(session, source),
        "checked_at": row.ended_at if row else None,
        "looked": row.last_looked if row else 0,
        "found": row.last_found if row else 0,
        "error": row.error if row else "",
        "subscription": stands.words if stands else None,
        "subscription_expires_at": stands.expires_at if stands else None,
        "subscription_error": stands.error if stands else "",
    }


def _words(line: dict[str, object]) -> str:
    if line["not_checked_because"]:
        return f"never: {line['not_checked_because']}"
    if line["error"]:
        return f"failed: {line['error']}"
    if line["checked_at"] is None:
        return "not yet"
    return f"{line['checked_at']:%Y-%m-%d %H:%M}, {line['looked']} calls, {line['found']} of them new to us"


COMMANDS = (lines,)
