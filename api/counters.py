"""Counters: what is overdue, due today, unanswered, or without a next step."""

from __future__ import annotations

from typing import Self

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import select

from api.elements import existing, user
from api.parameters import Email, Line, Query, RowPath
from api.resource import answer, group, refused
from api.users import Owner
from core import db
from core.errors import NotFound
from crm import counters, workspace
from crm.element import Element
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.user import Team, TeamMember, User

resource = group("counters", "What is overdue, due today, unanswered, or without a next step")


class Counters(BaseModel):
    """How much of what is to be done stands how."""

    overdue: int = Field(description="Planned activities whose time is over")
    due_today: int = Field(description="Planned activities of today whose time has not come yet")
    unanswered: int = Field(description="Leads, deals, contacts heard of after we last turned to them")
    without_next_step: int = Field(description="Open leads and deals on which nothing is planned")

    @classmethod
    def of(cls, counted: counters.Counters) -> Self:
        """Counters as they are told."""
        return cls(**counted.told)


class UserCounters(Counters):
    """A user's counters."""

    owner: Owner | None = Field(description="null: what nobody has")


class CountersByUser(BaseModel):
    """The counters of each user of whom there is something to count, and of all of them together."""

    items: list[UserCounters]
    total: Counters


class CountersQuery(Query):
    """Whose counters."""

    owner: Email | None = Field(None, description="E-mail address of a user")
    team: Line | None = Field(None, description="Key of a team: its members'")


@resource.get("/counters", responses={200: CountersByUser, **refused(404)})
def get_counters(query: CountersQuery) -> Response:
    """The counters now, in the workspace's time zone: of a user, of a team, or of everybody."""
    with db.reading() as session:
        ids: list[int] | None = None
        if query.team is not None:
            team = session.scalars(select(Team.id).where(Team.key == query.team, Team.active)).one_or_none()
            if team is None:
                raise NotFound("there is no such team")
            ids = list(session.scalars(select(TeamMember.user_id).where(TeamMember.team_id == team)))
        if query.owner is not None:
            whose = user(session, query.owner, field="owner")
            ids = [whose.id] if whose is not None and (ids is None or whose.id in ids) else []
        found = counters.of_users(session, workspace.load(session), ids)
        users = {u.id: u for u in session.scalars(select(User).where(User.id.in_([k for k in found if k])))}
    total = counters.Counters()
    for counted in found.values():
        total += counted
    items = [
        UserCounters(owner=Owner.of(users.get(owner_id or 0)), **found[owner_id].told)
        for owner_id in sorted(found, key=lambda k: k or 0)
    ]
    return answer(CountersByUser(items=items, total=Counters.of(total)))


def _routes(on: APIBlueprint, plural: str, table: type[Element]) -> None:
    one = table.__tablename__

    @on.get(
        f"/{plural}/<row:id>/counters",
        operation_id=f"get_{one}_counters",
        endpoint=f"get_{one}_counters",
        responses={200: Counters, **refused(404)},
    )
    def get(path: RowPath) -> Response:
        """Its counters now; of a contact or a company with those of its leads and deals."""
        with db.reading() as session:
            row: Element = existing(session, table, path.id)
            return answer(Counters.of(counters.of_element(session, workspace.load(session), row)))


_routes(resource, "leads", Lead)
_routes(resource, "contacts", Contact)
_routes(resource, "companies", Company)
_routes(resource, "deals", Deal)
