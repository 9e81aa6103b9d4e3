"""Who asks: bearer tokens (RFC 6750), of which only the hash is kept, and what each role may do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from flask import g
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid, NotAllowed
from core.ids import digest, new_token
from models.user import ApiToken, Role, User

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_NAME = 100
_SCOPE = re.compile(r"(\*|[a-z][a-z-]{0,40}):(read|write)")
_READING = ("GET", "HEAD", "OPTIONS")
_READERS = frozenset(Role)
_WRITERS = _READERS - {Role.READ_ONLY}


@dataclass(frozen=True, slots=True)
class Caller:
    """The program that asks, by its token's name; the user it speaks for, and what it is narrowed to."""

    name: str
    role: Role
    user: User | None = None
    scopes: tuple[str, ...] | None = None
    key: str = ""

    @property
    def actor(self) -> str:
        """As a timeline names it."""
        return f"token:{self.name}"


def create_token(
    session: Session,
    name: str,
    role: Role,
    *,
    user: User | None = None,
    scopes: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> str:
    """Makes a token and returns it; it cannot be read again. With scopes it may those things only.

    Raises Invalid for a name that is empty, longer than 100 characters or not on one line, and for a scope
    that is none.
    """
    if wrong := [scope for scope in scopes if not _SCOPE.fullmatch(scope)]:
        raise Invalid(
            f"'{wrong[0]}' is no scope: write leads:read, deals:write, *:read", {"scopes": "does not fit"}
        )
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Invalid(
            f"a token's name has 1 to {_LONGEST_NAME} characters, on one line", {"name": "does not fit"}
        )
    token = new_token("prt")
    session.add(
        ApiToken(
            name=name,
            role=Role(role),
            token_hash=digest(token),
            user_id=user.id if user is not None else None,
            scopes=sorted(set(scopes)) or None,
            expires_at=expires_at,
            created_at=clock.now(),
        )
    )
    session.flush()
    return token


def find(session: Session, token: str) -> Caller | None:
    """Whose token this is; None for one that is unknown, revoked or expired, or whose user is gone."""
    row = session.scalars(
        select(ApiToken).where(ApiToken.token_hash == digest(token), ApiToken.revoked_at.is_(None))
    ).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= clock.now()):
        return None
    user = session.get(User, row.user_id) if row.user_id is not None else None
    if row.user_id is not None and (user is None or not user.active):
        return None
    scopes = tuple(row.scopes) if row.scopes is not None else None
    return Caller(row.name, row.role, user, scopes, row.token_hash)


def require(*roles: Role) -> Callable[[F], F]:
    """Leaves a route to these roles. Without it, any may read and all but read-only may write."""

    def mark(view: F) -> F:
        view.__dict__["roles"] = frozenset(roles)
        return view

    return mark


def admit(caller: Caller, view: Callable[..., Any], method: str, path: str) -> None:
    """Notes who asks for the rest of the request.

    Raises NotAllowed where their role, or the token's scopes, may not use this route.
    """
    roles = getattr(view, "roles", _READERS if method in _READING else _WRITERS)
    if caller.role not in roles:
        raise NotAllowed(f"the role '{caller.role.value}' may not do this")
    if caller.scopes is not None:
        group = path.removeprefix("/api/v1/").split("/")[0]
        enough = {f"{group}:write", "*:write"}
        enough |= {f"{group}:read", "*:read"} if method in _READING else set()
        # Each part of a bulk request is asked for by itself.
        if group != "bulk" and not enough.intersection(caller.scopes):
            kind = "read" if method in _READING else "write"
            raise NotAllowed(f"this token has not the scope '{group}:{kind}'")
    g.caller = caller


def caller() -> Caller:
    """Who asks in this request."""
    asking: Caller = g.caller
    return asking
