"""The sections of the catalogue."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.body import Line
from api.elements import Body, not_null
from api.paging import Page
from api.parameters import RowId, RowPath
from api.resource import answer, gone, group, refused
from api.versions import unchanged, with_version
from core import db
from core.errors import Invalid, NotFound
from core.settings import settings
from crm import sections
from models.product import Product
from models.product import Section as SectionRow

resource = group("product sections", "The sections of the catalogue, one within another")


class Section(BaseModel):
    """A section."""

    id: int
    name: str
    path: str = Field(description="Its name behind those of the sections around it, such as Ovens > Gas")
    parent_id: int | None = Field(description="The section around it")
    position: int
    products: int = Field(description="How many are in it, not counting those in sections within it")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: SectionRow, products: int) -> Self:
        """A section as it is told."""
        own = ("id", "name", "path", "parent_id", "position", "created_at", "updated_at")
        return cls(products=products, **{name: getattr(row, name) for name in own})


class SectionChange(Body):
    """What is to be set on a section."""

    name: Line | None = Field(None, max_length=sections.LONGEST_NAME)
    parent_id: RowId | None = Field(None, description="The section around it; null for none")
    position: int | None = Field(
        None, ge=0, le=10_000, description="Among those beside it; of equal ones the name decides"
    )


@resource.get("/product-sections", responses={200: Page[Section]})
def list_sections() -> Response:
    """All sections, each behind the one around it."""
    with db.reading() as session:
        items = [Section.of(row, products) for row, _, products in sections.tree(session)]
    return answer(Page[Section](items=items, next_cursor=None))


@resource.get("/product-sections/<row:id>", responses={200: Section, **refused(404)})
def get_section(path: RowPath) -> Response:
    """One section."""
    with db.reading() as session:
        return _told(session, _existing(session, path.id))


@resource.post("/product-sections", responses={201: Section, **refused(400, 409, 413, 415)})
def create_section(body: SectionChange) -> Response:
    """Makes a section, at the top or within another."""
    with db.unit_of_work() as session:
        parent = session.get(SectionRow, body.parent_id) if body.parent_id is not None else None
        if body.parent_id is not None and parent is None:
            raise Invalid("some values are not acceptable", {"/parent_id": "is no section"})
        row = sections.create(session, body.name or "", parent=parent, position=body.position or 0)
        made = _told(session, row, 201)
        made.headers["Location"] = f"{settings().address}/api/v1/product-sections/{row.id}"
    return made


@resource.patch(
    "/product-sections/<row:id>", responses={200: Section, **refused(400, 404, 409, 412, 413, 415)}
)
def change_section(path: RowPath, body: SectionChange) -> Response:
    """Renames or moves a section, with all that is in it. None can be moved into itself."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        values = body.model_dump(exclude_unset=True)
        not_null(values, "name", "position")
        sections.change(session, row, values)
        return _told(session, row)


@resource.delete("/product-sections/<row:id>", responses={204: None, **refused(404, 409, 412)})
def delete_section(path: RowPath) -> Response:
    """Deletes a section that nothing is in."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        sections.delete(session, row)
    return gone()


def _told(session: Session, row: SectionRow, status: int = 200) -> Response:
    products = session.scalar(select(func.count()).where(Product.section_id == row.id)) or 0
    return with_version(answer(Section.of(row, products), status), row)


def _existing(session: Session, row_id: int, *, lock: bool = False) -> SectionRow:
    row = session.get(SectionRow, row_id, with_for_update=lock)
    if row is None:
        raise NotFound("there is no such section")
    return row
