"""What the routes of one contact, company or deal have in common: telling it, and deleting it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Response
from pydantic import BaseModel

from api.elements import existing
from api.resource import answer, gone
from api.versions import unchanged, with_place, with_version
from core import db
from crm import deletion
from models.company import Company
from models.contact import Contact
from models.deal import Deal

E = TypeVar("E", Contact, Company, Deal)


def told(table: type[E], row_id: int, view: Callable[[E], BaseModel]) -> Response:
    """The element with its version; of one that became part of another, the other, with its address."""
    with db.reading() as session:
        row = existing(session, table, row_id)
        return with_place(with_version(answer(view(row)), row), row, row_id)


def deleted(table: type[E], row_id: int) -> Response:
    """Deletes it where nothing hangs on it, and where it is still what `If-Match` names."""
    with db.unit_of_work() as session:
        row = existing(session, table, row_id, lock=True)
        unchanged(row)
        deletion.delete(session, row)
    return gone()
