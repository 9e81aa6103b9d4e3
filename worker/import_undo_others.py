"""Takes back what an import made of contacts, companies, deals and products, and nobody has touched since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from core.savepoint import savepoint
from crm import timeline
from crm.imported import kinds
from crm.imported.kind import Beside, Kind
from models.import_job import ImportJob, ImportRow, RowOutcome
from models.product import Product
from models.timeline import TimelineEntry
from worker import import_undo_beside


def take_back(session: Session, job: ImportJob, rows: Sequence[ImportRow]) -> None:
    """Removes what was made, gives what was changed its former values, and says why others are kept."""
    kind = kinds.of(session, job.what)
    for row in rows:
        thing: Any = session.get(kind.table, row.element_id, with_for_update={"of": kind.table})
        words = _touched(session, kind, thing, row)
        if not words and row.outcome is RowOutcome.CREATED:
            try:
                with savepoint(session):
                    kind.remove(thing)
            except Conflict as error:
                words = str(error)
        elif not words:
            try:
                with savepoint(session):
                    _restore(session, job, kind, thing, row)
            except (Conflict, Invalid) as error:
                words = str(error)
        if words:
            row.outcome, row.reason = RowOutcome.KEPT, words
            job.kept += 1
        elif row.outcome is RowOutcome.CREATED:
            row.outcome = RowOutcome.REMOVED
            job.removed += 1
        else:
            row.outcome = RowOutcome.RESTORED
            job.restored += 1
        import_undo_beside.remove(session, row)
    session.flush()


def _touched(session: Session, kind: Kind, thing: Any, row: ImportRow) -> str:
    if thing is None:
        return "it is not there any more"
    if isinstance(thing, Product):
        same = (row.before or {}).get(kinds.STAMP) == thing.updated_at.isoformat()
        return "" if same else "it was changed since"
    if getattr(thing, "merged_into_id", None) is not None:
        return f"it is part of {kind.element} {thing.merged_into_id} now"
    touched = import_undo_beside.since(session, kind.element or "", thing.id, row)
    return "something happened to it since" if touched else ""


def _restore(session: Session, job: ImportJob, kind: Kind, thing: Any, row: ImportRow) -> None:
    own = (kinds.STAMP, *Beside)
    before = {name: value for name, value in (row.before or {}).items() if name not in own}
    kind.restore(thing, before, actor=job.by)
    if isinstance(thing, Product):
        return
    thing.updated_at = clock.now()
    timeline.record(
        session,
        thing,
        kind="changed",
        summary=f"Import taken back: {job.name}, row {row.number}",
        actor=job.by,
        data={"import": job.id, "restored": sorted(before)},
    )
    session.flush()
    # What is restored here is no touch of somebody else's: an earlier row of the file may have made it.
    mark = session.scalar(select(func.max(TimelineEntry.id))) or 0
    of_it = ImportRow.job_id == job.id, ImportRow.element_id == thing.id
    session.execute(update(ImportRow).where(*of_it).values(entry_id=mark))
