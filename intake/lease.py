"""Leases: of all who could do a thing, one does it; when that one dies, another soon does."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta

from sqlalchemy import ColumnElement, case
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from models.lease import Lease

#: How long a name is held without a word from its holder. Renew at least three times as often.
TERM = timedelta(seconds=4)


def new_holder() -> str:
    """A name for this process that no other has, not even its successor with the same pid."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def hold(session: Session, name: str, holder: str, *, term: timedelta = TERM) -> int | None:
    """Takes or keeps the name; None while another one holds it.

    The number is the fencing token: it grows with each new holder.
    """
    now = clock.now()
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    wanted = dialect.insert(Lease).values(name=name, holder=holder, token=1, expires_at=now + term)
    same = Lease.holder == holder
    return session.execute(
        wanted.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": holder, "token": Lease.token + _one_unless(same), "expires_at": now + term},
            where=same | (Lease.expires_at <= now),
        ).returning(Lease.token)
    ).scalar_one_or_none()


def release(session: Session, name: str, holder: str) -> None:
    """Gives the name back before its time, so that another need not wait."""
    lease = session.get(Lease, name, with_for_update=True)
    if lease is not None and lease.holder == holder:
        lease.expires_at = clock.now()


def _one_unless(same: ColumnElement[bool]) -> ColumnElement[int]:
    return case((same, 0), else_=1)
