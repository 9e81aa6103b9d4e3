"""Commands about mailboxes: watching them, how they stand, comparing them with the journal."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import click

from boot.commands.configuration import begin
from core import db
from core.errors import Invalid, Unavailable
from intake import mail_trial, pipeline
from intake.mailbox import desk, report
from intake.mailbox.report import MailboxReport

_LOOK_SECONDS = 0.2
#: Seconds in which a watcher that has just been started says that it is there.
_PATIENCE = 10


@click.group(invoke_without_command=True)
@click.pass_context
def mailboxes(context: click.Context) -> None:
    """Watch the mailboxes; of several hosts, each mailbox is watched by one.

    \b
    Example: portaria mailboxes
    """
    if context.invoked_subcommand is None:
        from boot import mailboxes as process

        process.run()


@mailboxes.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Show how each mailbox stands.

    \b
    Example: portaria mailboxes list
    """
    begin()
    with db.reading() as session:
        found = report.of_all(session)
    if as_json:
        click.echo(json.dumps([one.values() for one in found], default=str))
        return
    for one in found:
        click.echo(f"{one.key}: {one.state}" + (f", {one.trouble}" if one.trouble else ""))
        click.echo(f"  last message {_said(one.last_message_at)}, compared {_said(one.reconciled_at)}")
        if one.token_expires_at is not None:
            click.echo(f"  signing in by this grant ends {_said(one.token_expires_at)}")
    if not found:
        click.echo("There are no mailboxes.")


@mailboxes.command("retry")
@click.argument("key")
def retry(key: str) -> None:
    """Let a stopped mailbox sign in again.

    \b
    Example: portaria mailboxes retry sales
    """
    begin()
    with db.unit_of_work() as session:
        source_id, _ = report.of_one(session, key)
        desk.wake(session, source_id)
    click.echo(f"{key}: whoever watches it tries again within seconds.")


@mailboxes.command("reconcile")
@click.argument("key", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--wait", default=600.0, show_default=True, help="Seconds to wait for the result.")
def reconcile(key: str | None, as_json: bool, wait: float) -> None:
    """Compare what the server holds with the journal, and fetch what is missing there.

    Whoever watches the mailbox does it, so a 'portaria mailboxes' must be running.

    \b
    Example: portaria mailboxes reconcile sales
    """
    begin()
    asked: dict[str, datetime] = {}
    with db.unit_of_work() as session:
        for one in [report.of_one(session, key)[1]] if key else report.of_all(session):
            asked[one.key] = desk.ask_reconciliation(session, report.of_one(session, one.key)[0])
    if not asked:
        raise Invalid("there are no mailboxes")
    found = _awaited(asked, wait)
    if as_json:
        click.echo(json.dumps([one.values() for one in found], default=str))
        return
    for one in found:
        for folder in one.folders:
            numbers = folder.reconciliation or {}
            click.echo(f"{one.key}, {folder.folder}: {numbers.get('on_server', 0)} on the server")
            click.echo("  " + ", ".join(f"{n} {name}" for name, n in numbers.items() if name != "on_server"))


def _awaited(asked: dict[str, datetime], seconds: float) -> list[MailboxReport]:
    """The reports once all are compared. Raises Unavailable where nobody does it."""
    begun = time.monotonic()
    while True:
        with db.reading() as session:
            found = [report.of_one(session, key)[1] for key in asked]
        late = [o for o in found if o.reconciled_at is None or o.reconciled_at < asked[o.key]]
        if not late:
            return found
        waited = time.monotonic() - begun
        for one in late:
            nobody = one.state == "unwatched" and waited > _PATIENCE
            if waited > seconds or nobody:
                raise Unavailable(f"{one.key} is not compared yet: {one.trouble or 'it takes longer'}")
        time.sleep(_LOOK_SECONDS)


def _said(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "never"


@mailboxes.command("try")
@click.argument("key")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def attempt(key: str, file: Path, as_json: bool) -> None:
    """Show what a mail would become, with the mailbox's mappings. Nothing is written.

    \b
    Example: portaria mailboxes try sales mail.eml
    """
    begin()
    with db.reading() as session:
        settings = pipeline.mailbox(session, key)
    found = mail_trial.told(file.read_bytes(), settings)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, default=str))
        return
    for name, value in found.items():
        if value not in (None, "", [], {}):
            click.echo(
                f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
            )


COMMANDS = (mailboxes,)
