"""Files of leads, to be saved and never shown by the browser; and recordings of calls, to be heard."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from core import db
from core.errors import NotFound
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


def hear(recording_id: int) -> ResponseReturnValue:
    """The recording's content, or the part that the player asks for."""
    with db.reading() as session:
        row = session.get(Recording, recording_id)
        if row is None or row.state is not RecordingState.KEPT:
            raise NotFound("There is no such recording.")
        place, kind = row.place, row.kind
    return download.as_sound(place, kind)
