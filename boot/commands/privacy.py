"""Commands about people's data: taken away, erased, forgotten in time; and who saw and changed what."""

from __future__ import annotations

import json
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from boot.commands.configuration import begin
from core import db, storage
from core.errors import NotFound
from crm import privacy as people
from crm.privacy import Traces
from intake import person_archive
from models.audit import AuditEntry
from models.contact import Contact
from models.lead import Lead
from worker import retention

_BY = "command line"
_KIND = click.Choice(["lead", "contact"])


@click.group()
def privacy() -> None:
    """A person's data as a whole, and who saw and changed what."""


@privacy.command("export")
@click.argument("kind", type=_KIND)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="File to write.")
def take(kind: str, number: int, out: Path) -> None:
    """Write all that is kept of a lead's or contact's person into a ZIP archive.

    \b
    Example: portaria privacy export contact 12 -o maria.zip
    """
    begin()
    with db.reading() as session:
        person_archive.write(session, _traces(session, kind, number), out)
    click.echo(f"{out}: {out.stat().st_size} bytes")


@privacy.command("erase")
@click.argument("kind", type=_KIND)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--yes", is_flag=True, help="Ask nothing.")
def erase(kind: str, number: int, yes: bool) -> None:
    """Erase a person for good, everywhere; what is counted of them stays.

    \b
    Example: portaria privacy erase contact 12
    """
    begin()
    if not yes:
        click.confirm(f"Erase all that is kept of {kind} {number}'s person? It cannot be undone", abort=True)
    with db.unit_of_work() as session:
        traces = _traces(session, kind, number)
        files = people.erase(session, traces, by=_BY)
        for place in files:
            storage.delete(place)
    rows = sum(map(len, traces.rows.values()))
    click.echo(f"Erased: {rows} rows, {len(files)} files.")


@privacy.command("forget")
def forget() -> None:
    """Forget now what the workspace's `retention` keeps no longer; the scheduler does so by itself.

    \b
    Example: portaria privacy forget
    """
    begin()
    done = retention.forget()
    click.echo(", ".join(f"{kind}: {count}" for kind, count in done.items()) or "Nothing to forget.")


@privacy.command("audit")
@click.option("--actor", help="Such as user:7 or token:website.")
@click.option("--place", help="Such as contacts.")
@click.option("--element", type=int, help="Number of the element.")
@click.option("--limit", default=50, show_default=True, help="Most that are shown, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit(actor: str | None, place: str | None, element: int | None, limit: int, as_json: bool) -> None:
    """Show who saw and changed what.

    \b
    Example: portaria privacy audit --place contacts --element 12
    """
    begin()
    chosen = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    for column, value in (
        (AuditEntry.actor, actor),
        (AuditEntry.place, place),
        (AuditEntry.element_id, element),
    ):
        if value is not None:
            chosen = chosen.where(column == value)
    with db.reading() as session:
        rows = session.scalars(chosen).all()
    names = ("at", "actor", "action", "place", "element_id", "what")
    if as_json:
        click.echo(json.dumps([{name: getattr(row, name) for name in names} for row in rows], default=str))
        return
    for row in rows:
        what = f"{row.action}  {row.place} {row.element_id or ''}  {row.what}"
        click.echo(f"{row.at:%Y-%m-%d %H:%M:%S}  {row.actor}  {what}")
    if not rows:
        click.echo("Nothing was noted.")


def _traces(session: Session, kind: str, number: int) -> Traces:
    row = session.get(Lead if kind == "lead" else Contact, number)
    if isinstance(row, Lead):
        return people.of_lead(session, row)
    if isinstance(row, Contact):
        return people.of_contact(session, row)
    raise NotFound(f"there is no {kind} {number}")


COMMANDS = (privacy,)
