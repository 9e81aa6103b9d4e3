"""Commands that take data out: exports, and segments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

import click
from sqlalchemy import select

from boot.commands.configuration import begin
from core import db
from core.errors import NotFound
from crm import exporting, workspace
from models.segment import Segment
from rules import extract
from rules import segments as choosing


@click.command("extract")
@click.argument("kind", type=click.Choice(list(exporting.TABLES)))
@click.option("--format", "form", type=click.Choice(exporting.FORMATS), default="csv", show_default=True)
@click.option("--segment", help="Key of a segment: its members only.")
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="File to write.")
def take(kind: str, form: str, segment: str | None, out: Path) -> None:
    """Write everything of one kind into a file.

    \b
    Example: portaria extract contacts --format xlsx -o contacts.xlsx
    """
    begin()
    with db.reading() as session:
        names = extract.opened(session, kind, segment)
    rows = extract.rows(db.reading, kind, names, segment=segment, sight=None)
    if form == "xlsx":
        exporting.as_xlsx(names, rows, out)
    else:
        with out.open("w", encoding="utf-8", newline="") as file:
            _write(file, form, names, rows)
    click.echo(f"{out}: {out.stat().st_size} bytes")


@click.group()
def segments() -> None:
    """Saved choices among leads, contacts and deals."""


@segments.command("save")
@click.argument("key")
@click.argument("kind", type=click.Choice(list(choosing.TABLES)))
@click.argument("condition")
@click.option("--name", default="", help="What people call it.")
@click.option("--static", is_flag=True, help="Keep whom it is true of now.")
def save(key: str, kind: str, condition: str, name: str, static: bool) -> None:
    """Make a segment of a condition, or change it.

    \b
    Example: portaria segments save large lead 'lead.score >= 80'
    """
    begin()
    with db.unit_of_work() as session:
        here = workspace.load(session)
        choosing.save(
            session,
            key,
            kind=kind,
            condition=condition,
            name=name,
            living=not static,
            by="command line",
            here=here,
        )
    click.echo(f"Segment {key} is saved.")


@segments.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_segments(as_json: bool) -> None:
    """Show the segments.

    \b
    Example: portaria segments list
    """
    begin()
    with db.reading() as session:
        rows = session.scalars(select(Segment).order_by(Segment.key)).all()
    told = [{n: getattr(row, n) for n in ("key", "name", "kind", "condition", "living")} for row in rows]
    if as_json:
        click.echo(json.dumps(told))
        return
    for row in rows:
        click.echo(f"{row.key}  {row.kind}s  {'living' if row.living else 'static'}  {row.condition}")
    if not rows:
        click.echo("No segments.")


@segments.command("delete")
@click.argument("key")
def delete(key: str) -> None:
    """Forget a segment; what was in it stays.

    \b
    Example: portaria segments delete large
    """
    begin()
    with db.unit_of_work() as session:
        row = session.scalars(select(Segment).where(Segment.key == key)).one_or_none()
        if row is None:
            raise NotFound(f"there is no segment '{key}'")
        session.delete(row)
    click.echo(f"Segment {key} is forgotten.")


def _write(file: IO[str], form: str, names: list[str], rows: exporting.Rows) -> None:
    made = exporting.as_csv(names, rows) if form == "csv" else exporting.as_json(names, rows)
    file.writelines(made)


COMMANDS = (take, segments)
