"""Commands about templates."""

from __future__ import annotations

import json

import click

from boot.commands.configuration import begin
from core import db
from core.errors import NotFound
from crm import workspace
from models.lead import Lead
from rules import letter


@click.group()
def templates() -> None:
    """Texts to send."""


@templates.command("preview")
@click.argument("key")
@click.option("--lead", "lead_id", type=int, required=True, help="Number of the lead it is filled in for.")
@click.option("--language", help="Such as pt or pt-BR; the lead's if left out.")
@click.option("--html", is_flag=True, help="Print the HTML instead of the text.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def preview(key: str, lead_id: int, language: str | None, html: bool, as_json: bool) -> None:
    """Show how a template would read for a lead. Nothing is sent.

    \b
    Example: portaria templates preview welcome --lead 42 --language pt
    """
    begin()
    with db.reading() as session:
        lead = session.get(Lead, lead_id)
        if lead is None:
            raise NotFound(f"there is no lead {lead_id}")
        made = letter.by_hand(session, key, lead, workspace.load(session), language=language)
    said = made.letter
    if as_json:
        told = {"language": made.language, "subject": said.subject, "text": said.text, "html": said.html}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    elif html:
        click.echo(said.html)
    else:
        click.echo(f"Subject: {said.subject}\n\n{said.text}")


COMMANDS = (templates,)
