"""Takes back what an import made of contacts, companies, deals and products, and nobody has touched since."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from core.savepoint import savepoint
from crm import deletion, timeline
from crm.imported import kinds
from crm.imported.kind import Kind
from models.company import Company
from models.import_job import ImportJob, ImportRow, RowOutcome
from models.product import Product
from models.timeline import TimelineEntry

# Whose entries also stand on its timeline, which are no touch of it itself.
_OTHERS = {"company": ("lead_id", "contact_id", "deal_id"), "contact": ("lead_id", "deal_id"), "deal": ()}


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
            continue
        _remove_beside(session, row)
        if row.outcome is RowOutcome.CREATED:
            row.outcome = RowOutcome.REMOVED
            job.removed += 1
        else:
            row.outcome = RowOutcome.RESTORED
            job.restored += 1
    session.flush()


def _remove_beside(session: Session, row: ImportRow) -> None:
    """Removes the companies that were made for the row, as far as they are nobody else's and untouched."""
    for company_id in (row.before or {}).get(kinds.BESIDE, ()):
        company = session.get(Company, company_id, with_for_update={"of": Company})
        if (
            company is None
            or company.merged_into_id is not None
            or _since(session, "company", company_id, row)
        ):
            continue
        with suppress(Conflict), savepoint(session):
            deletion.delete(session, company)


def _since(session: Session, kind: str, element_id: int, row: ImportRow) -> bool:
    """Whether something happened to it itself since the row was brought in."""
    column = getattr(TimelineEntry, f"{kind}_id")
    others = [getattr(TimelineEntry, name).is_(None) for name in _OTHERS[kind]]
    newest = session.scalar(select(func.max(TimelineEntry.id)).where(column == element_id, *others)) or 0
    return newest > row.entry_id


def _touched(session: Session, kind: Kind, thing: Any, row: ImportRow) -> str:
    if thing is None:
        return "it is not there any more"
    if isinstance(thing, Product):
        same = (row.before or {}).get(kinds.STAMP) == thing.updated_at.isoformat()
        return "" if same else "it was changed since"
    if getattr(thing, "merged_into_id", None) is not None:
        return f"it is part of {kind.element} {thing.merged_into_id} now"
    touched = _since(session, kind.element or "", thing.id, row)
    return "something happened to it since" if touched else ""


def _restore(session: Session, job: ImportJob, kind: Kind, thing: Any, row: ImportRow) -> None:
    own = (kinds.STAMP, kinds.BESIDE)
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
