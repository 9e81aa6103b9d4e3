"""Users: who works here."""

from __future__ import annotations

from typing import Self

from flask import Response
from pydantic import BaseModel
from sqlalchemy import select

from api.paging import Page, page
from api.parameters import PageQuery
from api.resource import answer, group
from core import db
from models.user import Role
from models.user import User as UserRow

resource = group("users", "Who works here")


class Owner(BaseModel):
    """Whoever has a lead or an activity."""

    email: str
    name: str

    @classmethod
    def of(cls, row: UserRow | None) -> Self | None:
        """The owner, where there is one."""
        return cls(email=row.email, name=row.name) if row else None


class User(BaseModel):
    """A person who signs in or is given leads."""

    email: str
    name: str
    role: Role
    active: bool


@resource.get("/users", responses={200: Page[User]})
def list_users(query: PageQuery) -> Response:
    """The users, active or not."""
    with db.reading() as session:
        rows, following = page(session, select(UserRow), UserRow.id, query, of="users")
    items = [User(email=r.email, name=r.name, role=r.role, active=r.active) for r in rows]
    return answer(Page[User](items=items, next_cursor=following))
