"""What is to be seen of an import: its rows before they are brought in, and those that could not be."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import storage
from core.errors import Invalid, NotFound
from crm.spreadsheet import safe
from intake import import_jobs
from intake.import_foresight import Foresight, foresee
from models.import_job import ImportJob, ImportRow, RowOutcome

_AT_ONCE = 500


def foreseen(session: Session, job: ImportJob, *, most: int | None = None) -> Foresight:
    """What would become of the first rows of a job's file. Raises Invalid where it cannot be read."""
    told = Foresight()
    with tempfile.TemporaryFile() as file:
        try:
            storage.fetch(f"{job.place}/file", file)
        except NotFound:
            raise Invalid("the file is not kept any more") from None
        for told in foresee(session, file, import_jobs.understood(job), most=most):  # noqa: B007
            pass  # it tells of all rows up to there, each time
    return told


def error_lines(session: Session, job: ImportJob) -> Iterator[str]:
    """The rows that failed as CSV, the header first; each with its number and its reason."""
    headers = [c["header"] for c in job.columns]
    yield _line(["row", "reason", *headers])
    number = 0
    while True:
        rows = session.scalars(
            select(ImportRow)
            .where(
                ImportRow.job_id == job.id, ImportRow.outcome == RowOutcome.FAILED, ImportRow.number > number
            )
            .order_by(ImportRow.number)
            .limit(_AT_ONCE)
        ).all()
        for row in rows:
            yield _line([row.number, row.reason, *(row.cells or [])])
        if len(rows) < _AT_ONCE:
            return
        number = rows[-1].number
        session.expunge_all()


def _line(cells: list[object]) -> str:
    written = io.StringIO()
    texts = [", ".join(c) if isinstance(c, list) else "" if c is None else str(c) for c in cells]
    csv.writer(written).writerow([safe(t) for t in texts])
    return written.getvalue()
