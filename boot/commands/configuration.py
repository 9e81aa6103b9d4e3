"""Commands about the configuration: the schema of the database, and the workspace file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from boot import process, schema
from core import db
from core.errors import Invalid
from intake import sources
from workspace import document
from workspace.apply import DryRun, apply
from workspace.change import Change
from workspace.check import check
from workspace.export import export


def begin() -> db.Database:
    """This process, with a database that has its schema.

    Raises Invalid where it has not.
    """
    database = process.begin("command", pool=2)
    if schema.current(database) is None:
        raise Invalid("the database is empty: run 'portaria db upgrade' first, or 'portaria up'")
    return database


def apply_file(file: Path, *, dry_run: bool) -> list[Change]:
    """Applies a workspace file or folder; after it returns the change is in force everywhere."""
    read = document.read(file)
    changes: list[Change] = []
    try:
        with db.unit_of_work() as session:
            changes = apply(session, check(session, read), by="workspace file")
            if dry_run:
                raise DryRun  # noqa: TRY301  it takes the transaction back
    except DryRun:
        return changes
    if changes:
        # Each process looks at the version this often; then all of them have seen it.
        time.sleep(sources.FRESH * 1.2)
    return changes


@click.group("db")
def database() -> None:
    """The database's schema."""


@database.command()
def upgrade() -> None:
    """Bring the database to the newest version.

    \b
    Example: portaria db upgrade
    """
    changed = schema.upgrade(process.begin("command", pool=2, rings=False))
    click.echo("The database is at the newest version." + ("" if changed else " There was nothing to do."))


@database.command("check")
def check_schema() -> None:
    """Compare the database with what this release expects.

    \b
    Example: portaria db check
    """
    here = process.begin("command", pool=2, rings=False)
    if schema.current(here) != schema.head():
        raise Invalid(
            f"the database is at {schema.current(here) or 'nothing'}, this release needs {schema.head()}"
        )
    found = schema.differences(here)
    if found:
        raise Invalid("\n".join(str(difference) for difference in found))
    click.echo("The database has what this release expects.")


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def apply_command(file: Path, dry_run: bool, as_json: bool) -> None:
    """Apply a workspace file, or a folder of them.

    \b
    Example: portaria apply workspace.yaml --dry-run
    """
    begin()
    changes = apply_file(file, dry_run=dry_run)
    if as_json:
        click.echo(
            json.dumps([{"action": c.action, "what": c.what, "settings": c.settings} for c in changes])
        )
        return
    for change in changes:
        click.echo(str(change))
    if not changes:
        click.echo("Nothing differs.")
    elif dry_run:
        click.echo("Nothing was changed: this was a dry run.")


@click.command("export")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of YAML.")
def export_command(as_json: bool) -> None:
    """Print the configuration in force as a workspace file. Secrets stay sealed with this service's key.

    \b
    Example: portaria export > workspace.yaml
    """
    begin()
    with db.reading() as session:
        values = export(session)
    click.echo(json.dumps(values, indent=2, default=str) if as_json else document.write(values), nl=as_json)


COMMANDS = (database, apply_command, export_command)
