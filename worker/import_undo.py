"""Takes an import back, the last row first: what it made and nobody has touched since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Unavailable
from crm import removal, timeline
from intake import import_jobs, lease
from models.import_job import Imported, ImportJob, ImportRow, ImportState, RowOutcome
from models.lead import OPEN, Lead, LeadStatus
from models.timeline import TimelineEntry
from models.user import User
from worker import import_undo_others

#: One batch of an import: whether there is another.
Batch = Callable[[int, str], bool]
#: Who is at work on imports is taken over so long after its last word.
LEASE = timedelta(seconds=30)
_BATCH = 100
_BACK = (RowOutcome.CREATED, RowOutcome.UPDATED)


def batch(job_id: int, holder: str) -> bool:
    """Takes some rows back in one transaction; says whether there are more."""
    with db.unit_of_work() as session:
        if lease.hold(session, import_jobs.LEASE_NAME, holder, term=LEASE) is None:
            raise Unavailable("another worker has taken the import over")
        job = session.get_one(ImportJob, job_id, with_for_update=True)
        if job.state is not ImportState.UNDOING:
            return False
        rows = session.scalars(
            select(ImportRow)
            .where(ImportRow.job_id == job.id, ImportRow.outcome.in_(_BACK))
            .order_by(ImportRow.number.desc())
            .limit(_BATCH)
        ).all()
        if job.what is Imported.LEAD:
            _take_back(session, job, rows)
        else:
            import_undo_others.take_back(session, job, rows)
        job.tries, job.error = 0, ""
        if len(rows) < _BATCH:
            job.state, job.ended_at = ImportState.UNDONE, clock.now()
        return len(rows) == _BATCH


def _take_back(session: Session, job: ImportJob, rows: Sequence[ImportRow]) -> None:
    leads = _locked(session, [r.lead_id for r in rows if r.lead_id is not None])
    newest = _newest(session, list(leads))
    gone: list[int] = []
    restored: set[int] = set()
    for row in rows:
        lead = leads.get(row.lead_id or 0)
        words = _touched(lead, newest.get(row.lead_id or 0, 0) if row.lead_id not in restored else 0, row)
        if words or lead is None:
            row.outcome, row.reason = RowOutcome.KEPT, words
            job.kept += 1
        elif row.outcome is RowOutcome.CREATED:
            row.outcome = RowOutcome.REMOVED
            job.removed += 1
            gone.append(lead.id)
        else:
            _restore(session, job, lead, row)
            row.outcome = RowOutcome.RESTORED
            job.restored += 1
            restored.add(lead.id)
    session.flush()
    if restored:  # what is restored here is no touch of somebody else's
        mark = session.scalar(select(func.max(TimelineEntry.id))) or 0
        session.execute(
            update(ImportRow)
            .where(ImportRow.job_id == job.id, ImportRow.lead_id.in_(restored))
            .values(entry_id=mark)
        )
    removal.remove(session, gone)


def _locked(session: Session, lead_ids: Sequence[int]) -> dict[int, Lead]:
    chosen = select(Lead).where(Lead.id.in_(lead_ids)).order_by(Lead.id).with_for_update(of=Lead)
    return {lead.id: lead for lead in session.scalars(chosen)}


def _newest(session: Session, lead_ids: Sequence[int]) -> dict[int, int]:
    rows = session.execute(
        select(TimelineEntry.lead_id, func.max(TimelineEntry.id))
        .where(TimelineEntry.lead_id.in_(lead_ids))
        .group_by(TimelineEntry.lead_id)
    )
    return {lead_id: newest for lead_id, newest in rows if lead_id is not None}


def _touched(lead: Lead | None, newest: int, row: ImportRow) -> str:
    """Why a row is not taken back; empty where nothing speaks against it."""
    if lead is None:
        return "the lead is not there any more"
    if lead.status is LeadStatus.MERGED:
        return f"it is part of lead {lead.merged_into_id} now"
    if lead.status is LeadStatus.CONVERTED:
        return "it is converted"
    if newest > row.entry_id:
        return "something happened to it since"
    return ""


def _restore(session: Session, job: ImportJob, lead: Lead, row: ImportRow) -> None:
    before = row.before or {}
    for name, value in before.items():
        if name == "owner":
            lead.owner_id, lead.owner = value, session.get(User, value) if value else None
        elif name == "status":
            lead.status = LeadStatus(value)
            if lead.status in OPEN:
                lead.closed_at = lead.closing_reason = None
        elif name.startswith("fields."):
            key = name.removeprefix("fields.")
            rest = {k: v for k, v in lead.fields.items() if k != key}
            lead.fields = rest if value is None else {**rest, key: value}
        else:
            setattr(lead, name, value)
    lead.updated_at = clock.now()
    timeline.record(
        session,
        lead,
        kind="changed",
        summary=f"Import taken back: {job.name}, row {row.number}",
        actor=job.by,
        data={"import": job.id, "restored": sorted(before)},
    )
