"""A person's data: taken away as one archive, or erased; and who saw and changed what."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Self

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import auth
from api.elements import Body, existing
from api.paging import Page, page
from api.parameters import Line, PageQuery, RowId, RowPath
from api.resource import answer, group, refused
from core import db, storage
from core.errors import Invalid
from crm import privacy
from crm.privacy import Traces
from intake import person_archive
from models.audit import AuditEntry as AuditRow
from models.contact import Contact
from models.lead import Lead
from models.user import Role

resource = group("privacy", "A person's data as a whole, and who saw and changed what")


class Erasure(Body):
    """That it is meant."""

    confirm: str = Field(description="The word erase")


class Erased(BaseModel):
    """What was erased: rows by table, and files."""

    rows: dict[str, int]
    files: int


class AuditEntry(BaseModel):
    """One look, change, export or erasure."""

    id: int
    at: datetime
    actor: str
    action: str = Field(description="saw, listed, changed, deleted, exported, erased")
    place: str
    element_id: int | None
    what: str

    @classmethod
    def of(cls, row: AuditRow) -> Self:
        """An entry as it is told."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class AuditQuery(PageQuery):
    """Which entries; an entry must fit all filters."""

    actor: Line | None = None
    action: Line | None = None
    place: Line | None = Field(None, description="Such as contacts")
    element: RowId | None = None


@resource.get("/audit", responses={200: Page[AuditEntry]})
@auth.require(Role.ADMIN)
def list_audit(query: AuditQuery) -> Response:
    """Who saw and changed what, the latest first; a change's values are on the element's timeline."""
    chosen = select(AuditRow)
    for column, value in (
        (AuditRow.actor, query.actor),
        (AuditRow.action, query.action),
        (AuditRow.place, query.place),
        (AuditRow.element_id, query.element),
    ):
        if value is not None:
            chosen = chosen.where(column == value)
    with db.reading() as session:
        rows, following = page(session, chosen, AuditRow.id, query, of="audit")
    return answer(Page[AuditEntry](items=[AuditEntry.of(row) for row in rows], next_cursor=following))


def archive(traces: Traces, name: str) -> Response:
    """The archive as an answer."""
    with tempfile.TemporaryDirectory(prefix="portaria-") as folder:
        file = Path(folder) / "person.zip"
        with db.reading() as session:
            person_archive.write(session, traces, file)
        made = Response(file.read_bytes(), content_type="application/zip")
    made.headers["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return made


def _routes(on: APIBlueprint, plural: str, table: type[Lead | Contact]) -> None:
    one = table.__tablename__

    def traces(session: Session, row: Lead | Contact) -> Traces:
        return privacy.of_lead(session, row) if isinstance(row, Lead) else privacy.of_contact(session, row)

    @on.get(
        f"/{plural}/<row:id>/data",
        operation_id=f"take_{one}_data",
        endpoint=f"take_{one}_data",
        responses={**refused(404)},
    )
    @auth.require(Role.ADMIN, Role.MANAGER)
    def take_data(path: RowPath) -> Response:
        """All that is kept of the person in one ZIP: rows as JSON, what arrived, files, recordings."""
        with db.reading() as session:
            row = existing(session, table, path.id)
            found = traces(session, row)
        return archive(found, f"{one}-{path.id}")

    @on.post(
        f"/{plural}/<row:id>/erase",
        operation_id=f"erase_{one}",
        endpoint=f"erase_{one}",
        responses={200: Erased, **refused(400, 404, 409, 413, 415)},
    )
    @auth.require(Role.ADMIN, Role.MANAGER)
    def erase(path: RowPath, body: Erasure) -> Response:
        """Erases the person for good, everywhere; what is counted of them stays. Cannot be undone."""
        if body.confirm != "erase":
            raise Invalid("some values are not acceptable", {"/confirm": "is not the word erase"})
        with db.unit_of_work() as session:
            row = existing(session, table, path.id, lock=True)
            found = traces(session, row)
            files = privacy.erase(session, found, by=auth.caller().actor)
            for place in files:
                storage.delete(place)
        counted = {name: len(ids) for name, ids in found.rows.items()}
        return answer(Erased(rows=counted, files=len(files)))


_routes(resource, "leads", Lead)
_routes(resource, "contacts", Contact)
