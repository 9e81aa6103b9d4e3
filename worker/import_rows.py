"""What became of the rows of an import, row by row."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from crm.entry import Entry
from crm.importing import Brought
from intake.imports.row import Row
from models.import_job import ImportJob, ImportRow, RowOutcome
from models.timeline import TimelineEntry


def keep(
    session: Session, job: ImportJob, rows: Sequence[Row], found: Sequence[Entry], brought: Sequence[Brought]
) -> None:
    """Writes down what became of each of these rows, and counts it."""
    mark = session.scalar(select(func.max(TimelineEntry.id))) or 0
    became = {one.entry.number: one for one in brought}
    kept = []
    for row, entry in zip(rows, found, strict=True):
        one = became.get(row.number) or Brought(
            entry, RowOutcome.FAILED, reason="; ".join(entry.problems)[:2000]
        )
        failed = one.outcome is RowOutcome.FAILED
        kept.append(
            {
                "job_id": job.id,
                "number": row.number,
                "outcome": one.outcome,
                "lead_id": one.lead.id if one.lead else None,
                "element_id": one.element_id,
                "reason": one.reason,
                "cells": list(row.cells) if failed else None,
                "before": one.before,
                "entry_id": mark,
            }
        )
        setattr(job, one.outcome.value, getattr(job, one.outcome.value) + 1)
    changed = {one.lead.id for one in brought if one.lead and one.outcome is RowOutcome.UPDATED}
    if changed:  # what an earlier row made and this one changed, is still the import's own
        session.execute(
            update(ImportRow)
            .where(ImportRow.job_id == job.id, ImportRow.lead_id.in_(changed))
            .values(entry_id=mark)
        )
    others = {one.element_id for one in brought if one.element_id and one.outcome is RowOutcome.UPDATED}
    if others:
        session.execute(
            update(ImportRow)
            .where(ImportRow.job_id == job.id, ImportRow.element_id.in_(others))
            .values(entry_id=mark)
        )
    session.execute(insert(ImportRow), kept)
