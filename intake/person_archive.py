"""One person's data as one archive: a JSON file for each table, what arrived byte for byte, their files."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, storage
from core.errors import NotFound, PortariaError
from crm import privacy
from crm.privacy import Traces
from models.attachment import Attachment
from models.inbound import InboundEvent
from models.recording import Recording

_README = """All that is kept of one person, as of {at}.

data/     one JSON file for each table
raw/      what arrived, byte for byte, by the number of the event
files/    attachments
calls/    recordings
"""


def write(session: Session, traces: Traces, file: Path) -> None:
    """Writes the archive; what cannot be had from the storage is told in `missing.txt`."""
    missing: list[str] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README.format(at=clock.now().isoformat()))
        for name, rows in privacy.told(session, traces):
            archive.writestr(f"data/{name}.json", json.dumps(rows, ensure_ascii=False, indent=1, default=str))
        for event_id in traces.rows.get("inbound_events", ()):
            body = session.scalar(select(InboundEvent.body).where(InboundEvent.id == event_id))
            if body:
                archive.writestr(f"raw/{event_id}", body)
        for row in session.scalars(
            select(Attachment).where(Attachment.id.in_(traces.rows.get("attachment", ())))
        ):
            if row.place:
                _add(archive, f"files/{row.id}-{_plain(row.name)}", row.place, missing)
        for told in session.scalars(
            select(Recording).where(Recording.id.in_(traces.rows.get("recording", ())))
        ):
            if told.place:
                _add(archive, f"calls/{told.id}", told.place, missing)
        if missing:
            archive.writestr("missing.txt", "\n".join(missing))


def _add(archive: zipfile.ZipFile, name: str, place: str, missing: list[str]) -> None:
    try:
        content = storage.get(place)
    except (PortariaError, NotFound) as error:
        missing.append(f"{name}: {error}")
    else:
        archive.writestr(name, content)


def _plain(name: str) -> str:
    # The sender's word is no path.
    return re.sub(r"[^\w.-]+", "_", name)[-100:].lstrip(".") or "file"
