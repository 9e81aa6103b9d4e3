"""Pairs that may be one: to look at, to merge, or to dismiss."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self, cast

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import or_

from api import auth
from api.paging import Page, page
from api.parameters import PageQuery, RowId, RowPath
from api.resource import answer, group, refused
from core import db
from core.errors import NotFound
from crm import duplicate_pairs
from models.duplicate import DuplicatePair, PairState

resource = group("duplicates", "What may be there twice")

Kind = Literal["lead", "contact", "company"]


class Duplicate(BaseModel):
    """Two that may be one."""

    id: int
    kind: Kind
    first_id: int
    second_id: int
    score: int = Field(description="In per cent")
    why: str
    state: PairState
    found_at: datetime
    decided_at: datetime | None
    decided_by: str | None

    @classmethod
    def of(cls, row: DuplicatePair) -> Self:
        """A pair as it is told."""
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "kind"}
        return cls(kind=cast(Kind, row.kind), **plain)


class DuplicateQuery(PageQuery):
    """Which pairs."""

    kind: Kind | None = None
    element: RowId | None = Field(None, description="Id of one of the two")
    state: PairState = PairState.OPEN


@resource.get("/duplicates", responses={200: Page[Duplicate]})
def list_duplicates(query: DuplicateQuery) -> Response:
    """The pairs that may be one, found when one of the two was made or changed; the latest first."""
    chosen = duplicate_pairs.standing() if query.state is not PairState.MERGED else duplicate_pairs.merged()
    chosen = chosen.where(DuplicatePair.state == query.state)
    if query.kind is not None:
        chosen = chosen.where(DuplicatePair.kind == query.kind)
    if query.element is not None:
        chosen = chosen.where(
            or_(DuplicatePair.first_id == query.element, DuplicatePair.second_id == query.element)
        )
    with db.reading() as session:
        rows, following = page(session, chosen, DuplicatePair.id, query, of="duplicates")
    return answer(Page[Duplicate](items=[Duplicate.of(row) for row in rows], next_cursor=following))


@resource.post("/duplicates/<row:id>/dismiss", responses={200: Duplicate, **refused(404, 409)})
def dismiss_duplicate(path: RowPath) -> Response:
    """Notes that the two are not one; they are not proposed again."""
    with db.unit_of_work() as session:
        row = session.get(DuplicatePair, path.id, with_for_update=True)
        if row is None:
            raise NotFound("there is no such pair")
        duplicate_pairs.dismiss(session, row, by=auth.caller().actor)
    return answer(Duplicate.of(row))
