"""Fetches files that were left on a mail server, because their mail is large, once somebody asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, storage
from core.errors import Permanent, PortariaError
from core.ids import digest
from core.logs import logger
from intake import files
from intake.mailbox import again
from models.attachment import Attachment

#: After the last of these it is given up, and may be asked for again.
_WAITS = tuple(timedelta(seconds=s) for s in (60, 300, 1800))
_MOST = 50
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    id: int
    name: str
    event_id: str
    position: int
    place: Mapping[str, Any]


def due() -> list[int]:
    """The files that are to be fetched now."""
    with db.reading() as session:
        chosen = select(Attachment.id).where(Attachment.fetch_at <= clock.now())
        return list(session.scalars(chosen.order_by(Attachment.fetch_at).limit(_MOST)))


def fetch(attachment_id: int) -> None:
    """Fetches one that is due: once, by whoever comes first."""
    with db.unit_of_work() as session:
        job = _claim(session, attachment_id)
    if job is None:
        return
    try:
        content = again.part(job.place)
        kind, refused = files.of_mail(content, job.name)
        key = f"enquiries/{job.event_id}/{job.position}"
        if not refused:
            storage.put(key, content)
    except Permanent as error:
        _refused(job, str(error), over=True)
        return
    except PortariaError as error:
        _refused(job, str(error), over=False)
        return
    with db.unit_of_work() as session:
        row = session.get(Attachment, job.id)
        if row is not None:
            row.kind, row.size, row.digest = kind[:100], len(content), digest(content)
            row.place, row.refused, row.left, row.fetch_at = "" if refused else key, refused, None, None


def _claim(session: Session, attachment_id: int) -> _Job | None:
    row = session.get(Attachment, attachment_id, with_for_update=True)
    if row is None or row.left is None or row.fetch_at is None or row.fetch_at > clock.now():
        return None
    # Also if this process dies over it: it is tried again then, and not for ever.
    row.fetch_at = clock.now() + _WAITS[row.fetch_tries] if row.fetch_tries < len(_WAITS) else None
    row.fetch_tries += 1
    return _Job(row.id, row.name, row.event_id, row.position, dict(row.left))


def _refused(job: _Job, words: str, *, over: bool) -> None:
    log.info("file.not_fetched", attachment=job.id, error=words[:200], over=over)
    with db.unit_of_work() as session:
        row = session.get(Attachment, job.id, with_for_update=True)
        if row is not None:
            row.refused = words[:100] if over else f"not fetched yet: {words}"[:100]
            if over:
                row.left = row.fetch_at = None
