"""What came with an enquiry beside its words: files, and what people agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Self

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
    left: bool = Field(description="Whether it stayed on the mail server and can be fetched from there")
    created_at: datetime

    @classmethod
    def of(cls, row: AttachmentRow) -> Self:
        """A file as it is told."""
        return cls(
            id=row.id,
            name=row.name,
            kind=row.kind,
            size=row.size,
            refused=row.refused,
            left=row.left is not None,
            created_at=row.created_at,
        )


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
        lead = existing(session, path.id)
        items = [Attachment.of(row) for row in attachments.of_lead(session, lead.id)]
    return answer(Attachments(items=items))


@resource.get("/attachments/<row:id>", responses={**refused(404)})
def get_attachment(path: RowPath) -> Response:
    """A file's content: to be saved, never to be shown in the browser."""
    with db.reading() as session:
        row = session.get(AttachmentRow, path.id)
        if row is None or not row.place:
            said = f"this file is not kept: {row.refused}" if row is not None and row.refused else ""
            raise NotFound(said or "there is no such file")
        place, name = row.place, row.name
    return download.as_attachment(place, name)


@resource.post("/attachments/<row:id>/fetch", responses={202: Attachment, **refused(404, 409)})
def fetch_attachment(path: RowPath) -> Response:
    """Has a file fetched that stayed on the mail server, because its mail is large.

    It is there once `refused` is empty; where it cannot be had, `refused` says why.
    """
    with db.unit_of_work() as session:
        row = session.get(AttachmentRow, path.id, with_for_update=True)
        if row is None:
            raise NotFound("there is no such file")
        attachments.ask(session, row)
        session.flush()
        return answer(Attachment.of(row), 202)


@resource.get("/leads/<row:id>/consents", responses={200: Consents, **refused(404)})
def list_consents(path: RowPath) -> Response:
    """What the lead's person was asked to agree to, and what they answered."""
    with db.reading() as session:
        lead = existing(session, path.id)
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
            for r in consents.of_lead(session, lead.id)
        ]
    return answer(Consents(items=items))
