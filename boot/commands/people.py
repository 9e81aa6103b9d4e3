"""Commands about who may come in: users and tokens."""

from __future__ import annotations

import json
from datetime import timedelta

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
@click.option("--user", "for_user", help="Address of a user: it sees and changes what they do.")
@click.option("--scope", "scopes", multiple=True, help="Only this: leads:read, deals:write, *:read.")
@click.option("--days", type=click.IntRange(min=1, max=36500), help="It ends after so many days.")
def create(name: str, role: str, for_user: str | None, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a token and print it, once; only its hash is kept.

    \b
    Example: portaria token create website --role agent --scope leads:write
    """
    begin()
    with db.unit_of_work() as session:
        user = None
        if for_user is not None:
            chosen = select(User).where(User.email == for_user.lower(), User.active)
            user = session.scalars(chosen).one_or_none()
            if user is None:
                raise NotFound(f"there is no user '{for_user}'")
        ends = clock.now() + timedelta(days=days) if days else None
        made = create_token(session, name, Role(role), user=user, scopes=scopes, expires_at=ends)
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
                "user_id": row.user_id,
                "scopes": row.scopes,
                "created_at": row.created_at.isoformat(),
                "expires_at": row.expires_at.isoformat() if row.expires_at else None,
                "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
            }
            for row in rows
        ]
        click.echo(json.dumps(told, indent=2))
        return
    for row in rows:
        end = f"revoked {row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else "in force"
        if row.revoked_at is None and row.expires_at is not None:
            end = f"ends {row.expires_at:%Y-%m-%d %H:%M}"
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
