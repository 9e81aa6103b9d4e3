"""Commands that run: everything at once, or one process."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path

import click


@click.command()
@click.option(
    "--apply", "file", type=click.Path(path_type=Path), help="Workspace file or folder to apply first."
)
def up(file: Path | None) -> None:
    """Run everything: broker, migrations, web, worker, scheduler, mailboxes.

    \b
    Example: portaria up --apply examples/workspace.yaml
    """
    from boot import process, schema
    from boot.commands.configuration import apply_file
    from boot.up import Supervisor
    from core.settings import settings

    here = settings()
    supervisor = Supervisor(here)
    process.claim_port(here)

    def prepare() -> None:
        database = process.begin("up", pool=2, rings=False)
        schema.upgrade(database)
        if file is not None:
            for change in apply_file(file, dry_run=False):
                click.echo(f"  {change}")

    def ready() -> None:
        while not supervisor.stop.is_set() and not _answers(f"{here.own_address}/readyz"):
            time.sleep(0.1)
        if not supervisor.stop.is_set():
            _greet()

    supervisor.run(prepare, ready)
    click.echo("Portaria has stopped.")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _greet() -> None:
    from console.auth import first_sign_in_link
    from core import db
    from core.settings import settings

    address = settings().address
    with db.unit_of_work() as session:
        link = first_sign_in_link(session, address)
    click.echo(f"\nPortaria is ready: {address}")
    if link:
        click.echo(f"First sign-in (one use, 24 hours): {link}")
    click.echo("Stop it with Ctrl-C.\n")


@click.command()
def web() -> None:
    """Run the web process alone.

    \b
    Example: PORT=8080 portaria web
    """
    from boot import web as process

    process.run()


@click.command()
def worker() -> None:
    """Run a worker alone; any number may run.

    \b
    Example: BROKER_URL=redis://127.0.0.1:6379/0 portaria worker
    """
    from boot import worker as process

    process.run()


@click.command()
def scheduler() -> None:
    """Run a scheduler alone; of several, one leads.

    \b
    Example: portaria scheduler
    """
    from boot import scheduler as process

    process.run()


COMMANDS = (up, web, worker, scheduler)
