"""Segments: saved choices among leads, contacts and deals."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self, cast

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import auth
from api.body import Line, Text
from api.elements import Body
from api.paging import Page, cursor_of, page, place_of_cursor
from api.parameters import PageQuery
from api.resource import answer, gone, group, refused
from core import db
from core.errors import Conflict, Invalid, NotFound
from crm import workspace
from models.segment import Segment as SegmentRow
from rules import segments

resource = group("segments", "Saved choices among leads, contacts and deals")

Kind = Literal["lead", "contact", "deal"]


class Segment(BaseModel):
    """A saved choice."""

    key: str
    name: str
    kind: Kind
    condition: str = Field(description="In the language of rules' conditions")
    living: bool = Field(description="Whatever the condition is true of; else what it was true of last")
    by: str
    created_at: datetime
    updated_at: datetime
    fixed_at: datetime | None = Field(
        description="Of one that is not living: when its members were looked for"
    )

    @classmethod
    def of(cls, row: SegmentRow) -> Self:
        """A segment as it is told."""
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "kind"}
        return cls(kind=cast(Kind, row.kind), **plain)


class SegmentBody(Body):
    """What a segment is to be."""

    name: Line = ""
    kind: Kind
    condition: Text = Field(min_length=1, max_length=10_000)
    living: bool = True


class SegmentPath(BaseModel):
    """A segment's key in an address."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")


class Member(BaseModel):
    """One of a segment."""

    id: int
    name: str


class Members(BaseModel):
    """Some of a segment, and where to go on: of a living one a page may have fewer than was asked for."""

    items: list[Member]
    next_cursor: str | None


@resource.get("/segments", responses={200: Page[Segment]})
def list_segments(query: PageQuery) -> Response:
    """The segments, the last made first."""
    with db.reading() as session:
        rows, following = page(session, select(SegmentRow), SegmentRow.id, query, of="segments")
    return answer(Page[Segment](items=[Segment.of(row) for row in rows], next_cursor=following))


@resource.get("/segments/<key>", responses={200: Segment, **refused(404)})
def get_segment(path: SegmentPath) -> Response:
    """One segment."""
    with db.reading() as session:
        return answer(Segment.of(_existing(session, path.key)))


@resource.put("/segments/<key>", responses={200: Segment, **refused(400, 409, 413, 415)})
def save_segment(path: SegmentPath, body: SegmentBody) -> Response:
    """Makes a segment, or changes it; a static one's members are looked for at once."""
    with db.unit_of_work() as session:
        row = segments.save(
            session,
            path.key,
            kind=body.kind,
            condition=body.condition,
            name=body.name,
            living=body.living,
            by=auth.caller().actor,
            here=workspace.load(session),
        )
        made = Segment.of(row)
    return answer(made)


@resource.delete("/segments/<key>", responses={204: None, **refused(404)})
def delete_segment(path: SegmentPath) -> Response:
    """Forgets a segment; what was in it stays."""
    with db.unit_of_work() as session:
        session.delete(_existing(session, path.key, lock=True))
    return gone()


@resource.post("/segments/<key>/refresh", responses={200: Segment, **refused(404, 409)})
def refresh_segment(path: SegmentPath) -> Response:
    """Looks for the members of a static segment anew."""
    with db.unit_of_work() as session:
        row = _existing(session, path.key, lock=True)
        if row.living:
            raise Conflict("a living segment has at any time what its condition is true of")
        segments.fix(session, row, workspace.load(session))
        made = Segment.of(row)
    return answer(made)


@resource.get("/segments/<key>/members", responses={200: Members, **refused(404)})
def list_members(path: SegmentPath, query: PageQuery) -> Response:
    """Who and what is in it and in sight, by number; a page may have fewer than was asked for."""
    of = f"segment {path.key}"
    after = place_of_cursor(query.cursor, of) if query.cursor is not None else 0
    if not isinstance(after, int):
        raise Invalid("some values are not acceptable", {"cursor": "is none of this list"})
    with db.reading() as session:
        row = _existing(session, path.key)
        here = workspace.load(session)
        found, following = segments.part(session, row, here, after=after, most=query.limit)
        items = [
            Member(id=one.id, name=getattr(one, "name", "") or getattr(one, "title", "")) for one in found
        ]
    next_cursor = cursor_of(str(following), of) if following is not None else None
    return answer(Members(items=items, next_cursor=next_cursor))


def _existing(session: Session, key: str, *, lock: bool = False) -> SegmentRow:
    chosen = select(SegmentRow).where(SegmentRow.key == key)
    row = session.scalars(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise NotFound("there is no such segment")
    return row
