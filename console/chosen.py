"""Contacts, companies and users as they are named in a form: `Ana Lima #12`, an address, or a name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g
from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from crm.contact_points import email_point, phone_number, phone_point
from models.company import Company
from models.contact import Contact
from models.contact_point import ContactPoint
from models.user import User

_NUMBERED = re.compile(r"#([1-9]\d{0,17})\s*$")
_DIALLED = re.compile(r"[\d\s()+./-]+", re.ASCII)
_OFFERED = 200
_MOST_MEANT = 20
_MOST_WORDS = 8
_FEWEST_DIGITS = 4
# With its number it is no longer than a field.
_LONGEST_NAME = 150


def line(text: str) -> str:
    """What was filled in, on one line. PostgreSQL takes no NUL, and nobody means one."""
    return " ".join(text.replace("\0", " ").split())[:200]


def named(row: Any) -> str:
    """How a contact or company stands in a form; empty for none."""
    return f"{row.name[:_LONGEST_NAME]} #{row.id}" if row is not None else ""


def newest(session: Session, table: type[Contact | Company]) -> Sequence[str]:
    """What is offered: the newest that are in sight."""
    rows = select(table).where(table.merged_into_id.is_(None)).order_by(table.id.desc()).limit(_OFFERED)
    return [named(row) for row in session.scalars(rows)]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several that may be meant: how it stands in a form, and what tells it from the others."""

    value: str
    note: str


def answered(form: Mapping[str, str], name: str, written: str) -> str:
    """What was filled in, or the one that was chosen of those that were offered for just that."""
    choice = line(form.get(f"choose-{name}", ""))
    return choice if choice and line(form.get(f"asked-{name}", "")) == written else written


def row(
    session: Session,
    table: type[Contact | Company],
    written: str,
    name: str,
    wrong: dict[str, str],
    offered: dict[str, list[Choice]],
) -> int | None:
    """The one that is meant by a name, an address or a number, of those in sight; None for nothing.

    What is none is added to `wrong` under the pointer to the field of this name, what may be several to
    `offered` too.
    """
    if not written:
        return None
    there = (
        select(table).where(table.merged_into_id.is_(None)).order_by(table.id.desc()).limit(_MOST_MEANT + 1)
    )
    ways = (session.scalars(there.where(which)).all() for which in _ways(table, written))
    found: Sequence[Any] = next((rows for rows in ways if rows), ())
    if len(found) == 1:
        return int(found[0].id)
    field = f"/{name.replace('-', '/')}"
    if not found:
        wrong[field] = "is not found: a name, an e-mail address or a number is looked for"
        return None
    offered[name] = [Choice(named(one), _note(one)) for one in found[:_MOST_MEANT]]
    many = (
        "many: choose one of these, or write more of it"
        if found[_MOST_MEANT:]
        else f"{len(found)}: choose which"
    )
    wrong[field] = f"may be one of {many}"
    return None


def _ways(table: type[Contact | Company], written: str) -> Iterator[ColumnElement[bool]]:
    """What it may be, the surest first: its number here, all of what it is called, a part of that."""
    if (number := _NUMBERED.search(written)) is not None:
        yield table.id == int(number[1])
        return
    exact = [func.lower(column) == func.lower(written) for column in (table.name, table.email)]
    if table is Company:
        exact.append(Company.domain == written.lower())
    if written.isascii() and written.isdecimal() and len(written) < 19:
        exact.append(table.id == int(written))
    telephone = phone_number(written, g.here.country)
    exact += [table.phone == telephone] if telephone else []
    if table is Contact:
        points = [email_point(written), *([phone_point(telephone)] if telephone else [])]
        known = tuple_(ContactPoint.kind, ContactPoint.value).in_(points)
        exact.append(Contact.person_id.in_(select(ContactPoint.person_id).where(known)))
    yield or_(*exact)
    yield and_(
        *(
            table.name.icontains(word, autoescape=True) | table.email.icontains(word, autoescape=True)
            for word in written.split()[:_MOST_WORDS]
        )
    )
    if _DIALLED.fullmatch(written) and len(digits := re.sub(r"\D", "", written)) >= _FEWEST_DIGITS:
        yield table.phone.contains(digits)


def _note(row: Contact | Company) -> str:
    place = row.company.name if isinstance(row, Contact) and row.company else None
    where = (row.domain, row.city) if isinstance(row, Company) else (place,)
    return " · ".join(words for words in (row.email, row.phone, *where) if words)


def user(session: Session, email: str, wrong: dict[str, str]) -> int | None:
    """The user of this address; None for nobody. What is none is added to `wrong`."""
    if not email:
        return None
    found = session.scalar(select(User.id).where(func.lower(User.email) == email.lower(), User.active))
    if found is None:
        wrong["/owner"] = "is no user who works here"
    return found
