"""Files of leads: to be saved, never shown by the browser."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from core import db
from core.errors import NotFound
from intake import download
from models.attachment import Attachment


def download_one(attachment_id: int) -> ResponseReturnValue:
    """The file's content."""
    with db.reading() as session:
        row = session.get(Attachment, attachment_id)
        if row is None or not row.place:
            raise NotFound("There is no such file.")
        place, name = row.place, row.name
    return download.as_attachment(place, name)
