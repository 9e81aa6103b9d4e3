"""Comments: what people and programs remark on a lead."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import auth
from api.body import IdempotencyHeader, Text
from api.leads import existing
from api.parameters import RowPath
from api.resource import answer, group, refused
from api.timeline import TimelineEntry
from core import db
from core.errors import Conflict, Invalid
from crm import comments
from models.lead import Lead
from models.timeline import TimelineEntry as EntryRow

resource = group("comments", "Remarks on a lead")


class NewComment(BaseModel):
    """A remark."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(min_length=1)


@resource.post("/leads/<row:id>/comments", responses={201: TimelineEntry, **refused(400, 404, 409, 413, 415)})
def add_comment(path: RowPath, header: IdempotencyHeader, body: NewComment) -> Response:
    """Remarks something on a lead; the timeline has it at once."""
    if not body.text:
        raise Invalid("some values are not acceptable", {"/text": "is empty"})
    with db.unit_of_work() as session:
        # Of two requests with one key the second waits here, and then finds what the first wrote.
        lead = existing(session, path.id, lock=True)
        entry = _standing(session, lead, header.key, body.text) if header.key else None
        if entry is None:
            entry = _add(session, lead, body.text, header.key)
    return answer(TimelineEntry.of(entry), 201)


def _add(session: Session, lead: Lead, text: str, key: str | None) -> EntryRow:
    if lead.merged_into_id is not None:
        raise Conflict(f"the lead is part of lead {lead.merged_into_id} now")
    return comments.add(session, lead, text, actor=auth.caller().actor, key=key)


def _standing(session: Session, lead: Lead, key: str, text: str) -> EntryRow | None:
    found = session.scalars(
        select(EntryRow)
        .where(
            EntryRow.lead_id == lead.id,
            EntryRow.kind == comments.KIND,
            EntryRow.data["idempotency_key"].as_string() == key,
        )
        .limit(1)
    ).first()
    if found is not None and found.data["text"] != text:
        raise Invalid("some values are not acceptable", {"Idempotency-Key": "was used with another body"})
    return found
