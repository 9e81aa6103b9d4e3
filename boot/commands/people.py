"""Commands about who may come in: users and tokens."""

from __future__ import annotations

import json

import click
from sqlalchemy import select

from api.auth import create_token
from boot.commands.configuration import begin
from console.auth import set_password
from core import clock, db
from core.errors import Invalid, NotFound
from crm.contact_points import email_address
from models.user import ApiToken, Role, User

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


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tokens(as_json: bool) -> None:
    """Show the tokens there are; not the secrets themselves, which nobody can read again.

    \b
    Example: portaria token list
    """
    begin()
    with db.reading() as session:
        rows = session.scalars(select(ApiToken).order_by(ApiToken.id)).all()
    if as_json:
        told = [
            {
                "id": row.id,
                "name": row.name,
                "role": row.role.value,
                "created_at": row.created_at.isoformat(),
                "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
            }
            for row in rows
        ]
        click.echo(json.dumps(told, indent=2))
        return
    for row in rows:
        end = f"revoked {row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else "in force"
        click.echo(f"{row.id:>4}  {row.role.value:<9}  {row.created_at:%Y-%m-%d %H:%M}  {end}  {row.name}")
    if not rows:
        click.echo("No tokens.")


@token.command("revoke")
@click.argument("which")
def revoke(which: str) -> None:
    """End a token, by its name or its number: whoever has it is refused from now on.

    \b
    Example: portaria token revoke website
    """
    begin()
    with db.unit_of_work() as session:
        chosen = select(ApiToken).where(ApiToken.revoked_at.is_(None)).with_for_update()
        named = ApiToken.id == int(which) if which.isdigit() else ApiToken.name == which
        rows = session.scalars(chosen.where(named)).all()
        if not rows:
            raise NotFound(f"there is no token '{which}' in force")
        for row in rows:
            row.revoked_at = clock.now()
    click.echo(f"Revoked: {', '.join(f'{row.name} (number {row.id})' for row in rows)}")


@click.group()
def user() -> None:
    """Users who sign in to the console."""


@user.command("create")
@click.argument("email")
@click.option("--name", default="", help="Name people read.")
@click.option("--role", type=_ROLES, help="What they may do; agent for a new user.")
@click.password_option(help="Their password; asked for where it is left out.")
def create_user(email: str, name: str, role: str | None, password: str) -> None:
    """Make a user, or give one that exists a new password, and the name and role that are said.

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
                role=Role(role or Role.AGENT),
                session_epoch=0,
            )
            session.add(found)
            session.flush()
        elif not found.active:
            raise Invalid(f"{address} is switched off; the workspace file says who works here")
        found.name = name or found.name
        found.role = Role(role) if role else found.role
        set_password(session, found, password)
    click.echo(f"{address} can sign in.")


COMMANDS = (token, user)
