"""Commands about the configuration: the schema of the database, the workspace file, the rules."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from boot import process, schema
from core import db
from core.errors import Invalid, NotFound
from crm.workspace import load
from intake import sources
from rules.explanation import explain as explain_lead
from workspace import document
from workspace.apply import Change, DryRun, apply
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


@click.group("rules")
def rules() -> None:
    """The rules: check a file, explain what they did."""


@rules.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check_rules(file: Path) -> None:
    """Find mistakes in a workspace file without changing anything.

    \b
    Example: portaria rules check workspace.yaml
    """
    begin()
    read = document.read(file)
    with db.reading() as session:
        checked = check(session, read)
    click.echo(f"{len(checked.file.rules or [])} rules, no mistakes.")


@rules.command("explain")
@click.argument("lead", type=int)
@click.option("--rule", help="Only this rule.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(lead: int, rule: str | None, as_json: bool) -> None:
    """Say why a lead went where it went: each rule, each part of its condition, each step.

    \b
    Example: portaria rules explain 42 --rule "Enterprise enquiries"
    """
    begin()
    with db.reading() as session:
        found = explain_lead(session, lead, rule=rule)
        zone = load(session).zone
    if found is None:
        raise NotFound(f"there is no lead {lead}")
    if as_json:
        click.echo(json.dumps([e.as_data() for e in found], indent=2, default=str))
        return
    for entry in found:
        for line in entry.as_text(zone):
            click.echo(line)
    if not found:
        click.echo("No rule was looked at for this lead.")


COMMANDS = (database, apply_command, export_command, rules)
