"""Commands that tell what was reached, in numbers."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import click

from boot.commands.configuration import begin
from core import clock, db
from core.errors import Invalid
from crm.reports import output, registry
from crm.reports.asked import asked
from crm.reports.table import Table
from rules import first_answers
from rules.first_answers import Line

_LONGEST = 3650


@click.command("first-answers")
@click.option("--by", type=click.Choice(("policy", "owner", "team")), default="policy", show_default=True)
@click.option(
    "--days", type=click.IntRange(1, _LONGEST), default=30, show_default=True, help="How far to look back."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def first_answers_command(by: first_answers.By, days: int, as_json: bool) -> None:
    """Show how soon people answered: counts, median, 90th percentile, and the share in time.

    \b
    Example: portaria first-answers --by owner --days 7
    """
    begin()
    with db.reading() as session:
        lines = first_answers.report(session, by=by, since=clock.now() - timedelta(days=days))
    if as_json:
        click.echo(json.dumps([line.as_data() for line in lines], indent=2))
        return
    if not lines:
        click.echo("No clock was started: the workspace has no 'sla', or no lead came.")
        return
    width = max(len(by), *(len(line.name) for line in lines), len("(nobody)"))
    click.echo(f"{by:<{width}}  leads  answered  waiting  breached  median     90 %  in time")
    for line in lines:
        click.echo(f"{line.name or '(nobody)':<{width}}  {_numbers(line)}")


def _numbers(line: Line) -> str:
    inside = f"{line.inside:.0%}" if line.inside is not None else "–"
    return (
        f"{line.leads:>5}  {line.answered:>8}  {line.waiting:>7}  {line.breached:>8}"
        f"  {_time(line.median):>6}  {_time(line.p90):>7}  {inside:>7}"
    )


def _time(seconds: int | None) -> str:
    if seconds is None:
        return "–"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


_DAY = click.DateTime(["%Y-%m-%d"])
_FORMAT = click.Choice(("table", "json", *output.TYPES))


@click.command()
@click.argument("kind", type=click.Choice(registry.KINDS))
@click.option("--since", type=_DAY, help="First day; the last thirty where none is given.")
@click.option("--until", type=_DAY, help="Last day, with it; today if left out.")
@click.option("--by", help="By what it is set out: source, owner, month …")
@click.option("--owner", help="Only what this user has: an e-mail address.")
@click.option("--team", help="Only what this team's members have: its key.")
@click.option("--source", help="Only what came by this source: its key.")
@click.option("--pipeline", help="Of which pipeline: its key.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", *output.TYPES)),
    default="table",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.")
def report(
    kind: str,
    since: datetime | None,
    until: datetime | None,
    by: str | None,
    owner: str | None,
    team: str | None,
    source: str | None,
    pipeline: str | None,
    form: str,
    as_json: bool,
    file: Path | None,
) -> None:
    """Count what the workspace has done: as a table, as JSON or as a file.

    \b
    Example: portaria report leads --by month --since 2026-01-01 --format xlsx --output leads.xlsx
    """
    begin()
    form = "json" if as_json else form
    if form in ("xlsx", "pdf") and file is None:
        raise Invalid(f"say with --output where the {form} goes")
    with db.reading() as session:
        try:
            what = asked(
                session,
                since=since.date() if since else None,
                until=until.date() if until else None,
                owner=owner,
                team=team,
                source=source,
                pipeline=pipeline,
            )
            table = registry.make(session, kind, what, by=by)
        except Invalid as error:
            words = "; ".join(f"--{n.lstrip('/')} {w}" for n, w in error.fields.items())
            raise Invalid(words or str(error)) from None
    written = output.write(table, form) if form in output.TYPES else _text(table, form).encode()
    if file is not None:
        file.write_bytes(written)
    else:
        click.echo(written.decode("utf-8-sig").rstrip("\n"))


def _text(table: Table, form: str) -> str:
    if form == "json":
        told = {
            n: getattr(table, n) for n in ("kind", "title", "since", "until", "currency", "rows", "notes")
        }
        return json.dumps(told | {"columns": [c.key for c in table.columns]}, indent=2, default=str)
    shown = [[c.name for c in table.columns]]
    shown += [[output.said(v, c) for v, c in zip(row, table.columns, strict=True)] for row in table.rows]
    widths = [max(len(row[place]) for row in shown) for place in range(len(table.columns))]
    lines = [f"{table.title}, {output.period(table)}"]
    for row in shown:
        cells = [
            text.ljust(width) if column.kind == "text" else text.rjust(width)
            for text, width, column in zip(row, widths, table.columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, *table.notes])


COMMANDS = (first_answers_command, report)
