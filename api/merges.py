"""Two made one: leads, contacts, companies merged by field choice, and parted again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Literal, Self, cast

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import or_, select

from api import auth
from api.body import Line, Name
from api.elements import Body
from api.paging import Page, page
from api.parameters import PageQuery, RowId, RowPath
from api.resource import answer, group, refused
from api.versions import unchanged, with_version
from core import db
from core.errors import NotFound
from core.ids import new_id
from crm import merging, workspace
from models.company import Company
from models.contact import Contact
from models.lead import Lead
from models.merge import Merge as MergeRow
from rules import engine

resource = group("merges", "What was made one, and may be made two again")

Kind = Literal["lead", "contact", "company"]
Whose = Literal["survivor", "other", "both"]


class NewMerge(Body):
    """What becomes part of the element of the address, and whose values stand."""

    other: RowId = Field(description="Id of what becomes part of it")
    choose: dict[Name, Whose] = Field(
        default_factory=dict,
        max_length=300,
        description="Whose value stands, by field: name, owner, fields.budget …; of tags also both. Where"
        " nothing is said, what is empty is filled from the other, and of tags both's stand",
    )
    why: Line = ""
    other_version: Name | None = Field(
        None, description="The other's ETag: refused with 412 where it was changed since"
    )


class NewLeadMerge(NewMerge):
    """Which lead becomes part of the one of the address."""

    same_person: bool = Field(True, description="Whether their addresses and numbers are one person's now")


class Change(BaseModel):
    """What a merge did to a column of the survivor."""

    before: Any
    after: Any


class Merge(BaseModel):
    """Two that were made one."""

    id: int
    kind: Kind
    survivor_id: int
    merged_id: int
    by: str = Field(description="As timelines name it: 'user:7', 'token:website', 'service'")
    why: str
    at: datetime
    changed: dict[str, Change] = Field(description="The survivor's columns, by name")
    moved: dict[str, int] = Field(description="How many rows of what hang on the survivor since")
    undone_at: datetime | None
    undone_by: str | None

    @classmethod
    def of(cls, row: MergeRow) -> Self:
        """A merge as it is told."""
        moved: Counter[str] = Counter()
        for told in row.moved:
            if "rows" in told:
                moved[told["table"]] += len(told["rows"]) + len(told["taken"])
        return cls(
            id=row.id,
            kind=cast(Kind, row.kind),
            survivor_id=row.survivor_id,
            merged_id=row.merged_id,
            by=row.by,
            why=row.why,
            at=row.at,
            changed={name: Change(before=both[0], after=both[1]) for name, both in row.changed.items()},
            moved=dict(moved),
            undone_at=row.undone_at,
            undone_by=row.undone_by,
        )


class MergeQuery(PageQuery):
    """Which merges."""

    kind: Kind | None = None
    element: RowId | None = Field(None, description="Id of one of the two")
    undone: bool | None = None


@resource.get("/merges", responses={200: Page[Merge]})
def list_merges(query: MergeQuery) -> Response:
    """What was merged, by people, rules and the service itself; the newest first."""
    chosen = select(MergeRow)
    if query.kind is not None:
        chosen = chosen.where(MergeRow.kind == query.kind)
    if query.element is not None:
        chosen = chosen.where(or_(MergeRow.survivor_id == query.element, MergeRow.merged_id == query.element))
    if query.undone is not None:
        chosen = chosen.where(
            MergeRow.undone_at.is_not(None) if query.undone else MergeRow.undone_at.is_(None)
        )
    with db.reading() as session:
        rows, following = page(session, chosen, MergeRow.id, query, of="merges")
    return answer(Page[Merge](items=[Merge.of(row) for row in rows], next_cursor=following))


@resource.get("/merges/<row:id>", responses={200: Merge, **refused(404)})
def get_merge(path: RowPath) -> Response:
    """One merge."""
    with db.reading() as session:
        row = session.get(MergeRow, path.id)
        if row is None:
            raise NotFound("there is no such merge")
    return answer(Merge.of(row))


@resource.post("/merges/<row:id>/undo", responses={200: Merge, **refused(404, 409)})
def undo_merge(path: RowPath) -> Response:
    """Makes two of it again, as they were; what was done since stays with the survivor."""
    with db.unit_of_work() as session:
        row = session.get(MergeRow, path.id, with_for_update=True)
        if row is None:
            raise NotFound("there is no such merge")
        merging.split(session, row, by=auth.caller().actor)
    return answer(Merge.of(row))


def _routes(on: APIBlueprint, plural: str, table: type[Contact | Company]) -> None:
    one = table.__tablename__

    @on.post(
        f"/{plural}/<row:id>/merge",
        operation_id=f"merge_{one}",
        endpoint=f"merge_{one}",
        responses={200: Merge, **refused(400, 404, 409, 412, 413, 415)},
    )
    def merge_element(path: RowPath, body: NewMerge) -> Response:
        """Makes another part of it, with all that hangs on the other; can be undone."""
        return _merge(table, path.id, body)


_routes(resource, "contacts", Contact)
_routes(resource, "companies", Company)


@resource.post("/leads/<row:id>/merge", responses={200: Merge, **refused(400, 404, 409, 412, 413, 415)})
def merge_lead(path: RowPath, body: NewLeadMerge) -> Response:
    """Makes another lead part of it, with all that hangs on the other; can be undone."""
    return _merge(Lead, path.id, body, same_person=body.same_person)


def _merge(
    table: type[Lead | Contact | Company],
    row_id: int,
    body: NewMerge,
    *,
    same_person: bool = True,
) -> Response:
    with db.unit_of_work() as session:
        survivor, other = merging.pair(session, table, row_id, body.other)
        unchanged(survivor)
        if body.other_version is not None:
            unchanged(other, body.other_version)
        made = merging.merge(
            session,
            survivor,
            other,
            by=auth.caller().actor,
            why=body.why,
            choose=body.choose,
            same_person=same_person,
        )
        if isinstance(survivor, Lead):
            here = workspace.load(session)
            engine.react(session, merging.told(survivor, made), workspace=here, event_id=new_id())
            session.flush()
        return with_version(answer(Merge.of(made)), survivor)
