"""Contacts, companies and users as they are named in a form: `Ana Lima #12`, an address, or a name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from models.company import Company
from models.contact import Contact
from models.user import User

_NUMBERED = re.compile(r"#([1-9]\d{0,17})\s*$")
_OFFERED = 200


def line(text: str) -> str:
    """What was filled in, on one line. PostgreSQL takes no NUL, and nobody means one."""
    return " ".join(text.replace("\0", " ").split())[:200]


def named(row: Any) -> str:
    """How a contact or company stands in a form; empty for none."""
    return f"{row.name} #{row.id}" if row is not None else ""


def newest(session: Session, table: type[Contact | Company]) -> Sequence[str]:
    """What is offered: the newest that are in sight."""
    rows = select(table).where(table.merged_into_id.is_(None)).order_by(table.id.desc()).limit(_OFFERED)
    return [named(row) for row in session.scalars(rows)]


def row(
    session: Session, table: type[Contact | Company], written: str, field: str, wrong: dict[str, str]
) -> int | None:
    """The one that is meant, of those in sight; None for nothing. What is none is added to `wrong`."""
    if not written:
        return None
    chosen: Any = select(table.id).where(table.merged_into_id.is_(None))
    if (number := _NUMBERED.search(written)) is not None:
        chosen = chosen.where(table.id == int(number[1]))
    else:
        word = written.lower()
        chosen = chosen.where(or_(func.lower(table.email) == word, func.lower(table.name) == word))
    found = session.scalars(chosen.limit(2)).all()
    if len(found) != 1:
        wrong[field] = "is more than one: choose one of the list" if found else "is not there"
        return None
    return int(found[0])


def user(session: Session, email: str, wrong: dict[str, str]) -> int | None:
    """The user of this address; None for nobody. What is none is added to `wrong`."""
    if not email:
        return None
    found = session.scalar(select(User.id).where(func.lower(User.email) == email.lower(), User.active))
    if found is None:
        wrong["/owner"] = "is no user who works here"
    return found
