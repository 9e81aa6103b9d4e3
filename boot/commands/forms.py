"""Commands about forms."""

from __future__ import annotations

import click

from boot.commands.configuration import begin
from core import db
from core.errors import NotFound
from intake.form_page import snippet as snippet_of
from workspace import forms as declared


@click.group()
def forms() -> None:
    """Forms on websites."""


@forms.command("snippet")
@click.argument("key")
def snippet(key: str) -> None:
    """Print what to copy into a page to have the form there.

    \b
    Example: portaria forms snippet contact
    """
    begin()
    with db.reading() as session:
        keys = [f["key"] for f in declared.forms(session)]
    if key not in keys:
        raise NotFound(f"there is no form '{key}'; there are {', '.join(keys) or 'none'}")
    click.echo(snippet_of(key))


COMMANDS = (forms,)
