"""The lines of a deal."""

from __future__ import annotations

from decimal import Decimal

from flask import Response
from pydantic import BaseModel, Field

from api import auth
from api.deal_view import DealLineView, LineBody, shown
from api.deals import from_body
from api.elements import Body, existing
from api.parameters import RowPath
from api.resource import answer, group, refused
from api.versions import unchanged, with_version
from core import db
from models.deal import Deal as DealRow

resource = group("deal lines", "What a deal is about, thing by thing")


class DealLines(BaseModel):
    """A deal's lines, in their order, and what they come to."""

    items: list[DealLineView]
    amount: Decimal | None = Field(description="The deal's amount")
    currency: str

    @classmethod
    def of(cls, row: DealRow) -> DealLines:
        """The lines as they are told."""
        return cls(
            items=[DealLineView.of(line) for line in row.lines],
            amount=shown(row.amount),
            currency=row.currency,
        )


class LinesBody(Body):
    """All lines of a deal, in the place of those it has."""

    items: list[LineBody] = Field(max_length=500)


@resource.get("/deals/<row:id>/lines", responses={200: DealLines, **refused(404)})
def get_lines(path: RowPath) -> Response:
    """The deal's lines."""
    with db.reading() as session:
        row = existing(session, DealRow, path.id)
        return with_version(answer(DealLines.of(row)), row)


@resource.put("/deals/<row:id>/lines", responses={200: DealLines, **refused(400, 404, 412, 413, 415)})
def set_lines(path: RowPath, body: LinesBody) -> Response:
    """Makes these the deal's lines; its amount is what they come to, until there are none."""
    with db.unit_of_work() as session:
        row = existing(session, DealRow, path.id, lock=True)
        unchanged(row)
        from_body(session, row, [line.model_dump() for line in body.items], auth.caller().actor)
        return with_version(answer(DealLines.of(row)), row)


@resource.post("/deals/<row:id>/lines", responses={201: DealLines, **refused(400, 404, 412, 413, 415)})
def add_line(path: RowPath, body: LineBody) -> Response:
    """Adds one line at the end."""
    with db.unit_of_work() as session:
        row = existing(session, DealRow, path.id, lock=True)
        unchanged(row)
        from_body(session, row, [body.model_dump()], auth.caller().actor, add=True)
        return with_version(answer(DealLines.of(row), 201), row)
