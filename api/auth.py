"""Who asks: bearer tokens (RFC 6750), of which only the hash is kept, and what each role may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import g
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid, NotAllowed
from core.ids import digest, new_token
from models.user import ApiToken, Role

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_NAME = 100
_READING = ("GET", "HEAD", "OPTIONS")
_READERS = frozenset(Role)
_WRITERS = _READERS - {Role.READ_ONLY}


@dataclass(frozen=True, slots=True)
class Caller:
    """The program that asks, by its token's name."""

    name: str
    role: Role

    @property
    def actor(self) -> str:
        """As a timeline names it."""
        return f"token:{self.name}"


def create_token(session: Session, name: str, role: Role) -> str:
    """Makes a token and returns it; it cannot be read again.

    Raises Invalid for a name that is empty, longer than 100 characters or not on one line.
    """
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Invalid(
            f"a token's name has 1 to {_LONGEST_NAME} characters, on one line", {"name": "does not fit"}
        )
    token = new_token("prt")
    session.add(ApiToken(name=name, role=Role(role), token_hash=digest(token), created_at=clock.now()))
    session.flush()
    return token


def find(session: Session, token: str) -> Caller | None:
    """Whose token this is; None for one that is unknown or revoked."""
    row = session.scalars(
        select(ApiToken).where(ApiToken.token_hash == digest(token), ApiToken.revoked_at.is_(None))
    ).one_or_none()
    return Caller(row.name, row.role) if row else None


def require(*roles: Role) -> Callable[[F], F]:
    """Leaves a route to these roles. Without it, any may read and all but read-only may write."""

    def mark(view: F) -> F:
        view.__dict__["roles"] = frozenset(roles)
        return view

    return mark


def admit(caller: Caller, view: Callable[..., Any], method: str) -> None:
    """Notes who asks for the rest of the request.

    Raises NotAllowed where their role may not use this route.
    """
    roles = getattr(view, "roles", _READERS if method in _READING else _WRITERS)
    if caller.role not in roles:
        raise NotAllowed(f"the role '{caller.role.value}' may not do this")
    g.caller = caller


def caller() -> Caller:
    """Who asks in this request."""
    asking: Caller = g.caller
    return asking
