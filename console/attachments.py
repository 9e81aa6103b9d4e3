"""Files of leads, to be saved and never shown by the browser; and recordings of calls, to be heard."""

from __future__ import annotations

from contextlib import suppress

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from core import db
from core.errors import Conflict, NotFound
from crm import attachments
from intake import download
from models.attachment import Attachment
from models.recording import Recording, RecordingState


def download_one(attachment_id: int) -> ResponseReturnValue:
    """The file's content."""
    with db.reading() as session:
        row = session.get(Attachment, attachment_id)
        if row is None or not row.place:
            raise NotFound("There is no such file.")
        place, name = row.place, row.name
    return download.as_attachment(place, name)


def fetch(attachment_id: int) -> ResponseReturnValue:
    """Has one fetched that stayed on the mail server; what has become of it stands beside its name."""
    with db.unit_of_work() as session:
        row = session.get(Attachment, attachment_id, with_for_update=True)
        if row is None:
            raise NotFound("There is no such file.")
        page = _page(row)
        with suppress(Conflict):  # the page says why not
            attachments.ask(session, row)
    return redirect(page, 303)


def _page(row: Attachment) -> str:
    """Where the file is shown."""
    if row.lead_id is not None:
        return url_for("console.lead", lead_id=row.lead_id, _anchor="files")
    kind = "deal" if row.deal_id is not None else "contact"
    return url_for(f"console.{kind}", row_id=row.deal_id or row.contact_id, _anchor="files")


def hear(recording_id: int) -> ResponseReturnValue:
    """The recording's content, or the part that the player asks for."""
    with db.reading() as session:
        row = session.get(Recording, recording_id)
        if row is None or row.state is not RecordingState.KEPT:
            raise NotFound("There is no such recording.")
        place, kind, size = row.place, row.kind, row.size
    return download.as_sound(place, kind, size)
