"""Commands about who may come in: users and tokens."""

from __future__ import annotations

import click
from sqlalchemy import select

from api.auth import create_token
from boot.commands.configuration import begin
from console.auth import set_password
from core import db
from core.errors import Invalid
from crm.contact_points import email_address
from models.user import Role, User

_ROLES = click.Choice([r.value for r in Role])


@click.group()
def token() -> None:
    """Tokens for programs that use the API."""


@token.command("create")
@click.argument("name")
@click.option("--role", type=_ROLES, default=Role.AGENT.value, show_default=True, help="What it may do.")
def create(name: str, role: str) -> None:
    """Make a token and print it, once; only its hash is kept.

    \b
    Example: portaria token create website --role agent
    """
    begin()
    with db.unit_of_work() as session:
        made = create_token(session, name, Role(role))
    click.echo(made)


@click.group()
def user() -> None:
    """Users who sign in to the console."""


@user.command("create")
@click.argument("email")
@click.option("--name", default="", help="Name people read.")
@click.option("--role", type=_ROLES, default=Role.AGENT.value, show_default=True, help="What they may do.")
@click.password_option(help="Their password; asked for where it is left out.")
def create_user(email: str, name: str, role: str, password: str) -> None:
    """Make a user, or give one that exists a new password.

    \b
    Example: portaria user create ana@acme.test --name Ana --role admin
    """
    begin()
    address = email_address(email)
    if address is None:
        raise Invalid(f"'{email}' is no e-mail address")
    with db.unit_of_work() as session:
        found = session.scalars(select(User).where(User.email == address.lower())).one_or_none()
        if found is None:
            found = User(
                email=address.lower(),
                name=name or address.partition("@")[0],
                role=Role(role),
                session_epoch=0,
            )
            session.add(found)
            session.flush()
        set_password(session, found, password)
    click.echo(f"{address} can sign in.")


COMMANDS = (token, user)
