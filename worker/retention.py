"""Forgets what has been kept as long as the workspace says, by source and kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core import clock, db, storage
from crm import privacy, workspace
from crm.personal import BLANK
from crm.workspace import Retention
from models.attachment import Attachment
from models.audit import AuditEntry
from models.call import Call
from models.import_job import AT_WORK, ImportJob, ImportRow, ImportState
from models.inbound import EventState, InboundEvent
from models.lead import Lead, LeadStatus
from models.message import Message
from models.recording import Recording, RecordingState
from models.source import Source
from worker.imports import CHUNK

_AT_ONCE = 200
_BY = "retention"


def forget() -> dict[str, int]:
    """Applies each of the workspace's retentions; answers how many rows of each kind were forgotten."""
    with db.reading() as session:
        asked = workspace.load(session).retention
    done: dict[str, int] = {}
    for one in asked:
        before = clock.now() - timedelta(days=one.days)
        while (count := _part(one, before)) > 0:
            done[one.kind] = done.get(one.kind, 0) + count
    return done


def _part(one: Retention, before: datetime) -> int:
    with db.unit_of_work(durable=False) as session:
        source_id = None
        if one.source is not None:
            source_id = session.scalar(select(Source.id).where(Source.key == one.source).limit(1))
            if source_id is None:
                return 0
        count, files = _KINDS[one.kind](session, before, source_id)
        for place in files:
            storage.delete(place)
    return count


def _raw(session: Session, before: datetime, source_id: int | None) -> tuple[int, list[str]]:
    chosen = select(InboundEvent.id).where(
        InboundEvent.received_at < before,
        InboundEvent.state != EventState.RECEIVED,
        InboundEvent.content_type != "",
    )
    if source_id is not None:
        chosen = chosen.where(InboundEvent.source_id == source_id)
    ids = session.scalars(chosen.limit(_AT_ONCE)).all()
    # Without its type it is known to have been forgotten.
    gone = {**BLANK["inbound_events"], "content_type": ""}
    session.execute(update(InboundEvent).where(InboundEvent.id.in_(ids)).values(**gone))
    return len(ids), []


def _mails(session: Session, before: datetime, source_id: int | None) -> tuple[int, list[str]]:
    kept = (Message.created_at < before, Message.subject != BLANK["message"]["subject"])
    chosen = select(Message.id).where(*kept)
    if source_id is not None:
        chosen = chosen.where(
            Message.mailbox == select(Source.key).where(Source.id == source_id).scalar_subquery()
        )
    ids = session.scalars(chosen.limit(_AT_ONCE)).all()
    session.execute(update(Message).where(Message.id.in_(ids)).values(**BLANK["message"]))
    return len(ids), []


def _recordings(session: Session, before: datetime, source_id: int | None) -> tuple[int, list[str]]:
    chosen = select(Recording).where(
        Recording.created_at < before, Recording.state != RecordingState.FORGOTTEN
    )
    if source_id is not None:
        chosen = chosen.join(Call, Call.id == Recording.call_id).where(Call.source_id == source_id)
    rows = session.scalars(chosen.limit(_AT_ONCE)).all()
    files = [row.place for row in rows if row.place]
    for row in rows:
        row.state, row.place, row.due_at = RecordingState.FORGOTTEN, "", None
    return len(rows), files


def _files(session: Session, before: datetime, source_id: int | None) -> tuple[int, list[str]]:
    chosen = select(Attachment).where(Attachment.created_at < before, Attachment.place != "")
    if source_id is not None:
        events = select(InboundEvent.id).where(InboundEvent.source_id == source_id)
        chosen = chosen.where(Attachment.event_id.in_(events))
    rows = session.scalars(chosen.limit(_AT_ONCE)).all()
    files = [row.place for row in rows]
    for row in rows:
        row.place, row.refused = "", "kept long enough"
    return len(rows), files


def _imports(session: Session, before: datetime, source_id: int | None) -> tuple[int, list[str]]:
    chosen = select(ImportJob).where(
        ImportJob.created_at < before, ImportJob.state.not_in(AT_WORK), ImportJob.place != ""
    )
    if source_id is not None:
        chosen = chosen.where(ImportJob.source_id == source_id)
    jobs = session.scalars(chosen.limit(_AT_ONCE // 10)).all()
    files: list[str] = []
    for job in jobs:
        chunks = range(-(-(job.total or 0) // CHUNK))
        files += [f"{job.place}/file", *(f"{job.place}/{number:06d}" for number in chunks)]
        rows = ImportRow.job_id == job.id
        session.execute(update(ImportRow).where(rows).values(**BLANK["import_row"]))
        job.place = ""
        if job.state is ImportState.DRAFT:
            job.state, job.error = ImportState.STOPPED, "its file was kept long enough"
    return len(jobs), files


def _junk(session: Session, before: datetime, source_id: int | None) -> tuple[int, list[str]]:
    chosen = select(Lead).where(
        Lead.status == LeadStatus.JUNK, Lead.closed_at < before, Lead.title != BLANK["lead"]["title"]
    )
    if source_id is not None:
        chosen = chosen.where(Lead.source_id == source_id)
    # A person who has another lead or a contact is kept as a whole, until those are over too.
    other = Lead.__table__.alias()
    alone = (
        ~select(other.c.id)
        .where(other.c.person_id == Lead.person_id, other.c.status != LeadStatus.JUNK)
        .exists()
    )
    leads = session.scalars(chosen.where(alone, Lead.contact_id.is_(None)).limit(_AT_ONCE // 10)).all()
    files: list[str] = []
    for lead in leads:
        files += privacy.erase(session, privacy.of_lead(session, lead), by=_BY)
    return len(leads), files


def _audit(session: Session, before: datetime, source_id: int | None) -> tuple[int, list[str]]:
    ids = session.scalars(select(AuditEntry.id).where(AuditEntry.at < before).limit(_AT_ONCE)).all()
    session.execute(delete(AuditEntry).where(AuditEntry.id.in_(ids)))
    return len(ids), []


_KINDS: dict[str, Callable[[Session, datetime, int | None], tuple[int, list[str]]]] = {
    "raw": _raw,
    "mails": _mails,
    "recordings": _recordings,
    "files": _files,
    "imports": _imports,
    "junk": _junk,
    "audit": _audit,
}
