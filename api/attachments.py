"""What came with an enquiry beside its words: files, and what people agreed to."""

from __future__ import annotations

from datetime import datetime

from flask import Response
from pydantic import BaseModel, Field

from api.leads import existing
from api.parameters import RowPath
from api.resource import answer, group, refused
from core import db
from core.errors import NotFound
from crm import attachments, consents
from intake import download
from models.attachment import Attachment as AttachmentRow

resource = group("attachments", "Files of leads, and what people agreed to")


class Attachment(BaseModel):
    """A file. Its name is the sender's word; its kind is found by its content."""

    id: int
    name: str
    kind: str
    size: int = Field(description="In bytes")
    refused: str = Field(description="Why it was not kept; empty where it was")
    created_at: datetime


class Attachments(BaseModel):
    """The files of a lead."""

    items: list[Attachment]


class Consent(BaseModel):
    """What somebody was asked to agree to, and whether they did: kept as evidence."""

    source: str
    field: str
    text: str
    version: str
    given: bool
    at: datetime
    address: str = Field(description="Network address it was given from")
    page: str


class Consents(BaseModel):
    """All that the lead's person was asked, oldest first."""

    items: list[Consent]


@resource.get("/leads/<row:id>/attachments", responses={200: Attachments, **refused(404)})
def list_attachments(path: RowPath) -> Response:
    """The lead's files, oldest first."""
    with db.reading() as session:
        existing(session, path.id)
        rows = attachments.of_lead(session, path.id)
        items = [
            Attachment(
                id=r.id, name=r.name, kind=r.kind, size=r.size, refused=r.refused, created_at=r.created_at
            )
            for r in rows
        ]
    return answer(Attachments(items=items))


@resource.get("/attachments/<row:id>", responses={**refused(404)})
def get_attachment(path: RowPath) -> Response:
    """A file's content: to be saved, never to be shown in the browser."""
    with db.reading() as session:
        row = session.get(AttachmentRow, path.id)
        if row is None or not row.place:
            raise NotFound("there is no such file")
        place, name = row.place, row.name
    return download.as_attachment(place, name)


@resource.get("/leads/<row:id>/consents", responses={200: Consents, **refused(404)})
def list_consents(path: RowPath) -> Response:
    """What the lead's person was asked to agree to, and what they answered."""
    with db.reading() as session:
        existing(session, path.id)
        items = [
            Consent(
                source=r.source,
                field=r.field,
                text=r.text,
                version=r.version,
                given=r.given,
                at=r.at,
                address=r.address,
                page=r.page,
            )
            for r in consents.of_lead(session, path.id)
        ]
    return answer(Consents(items=items))
