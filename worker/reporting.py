"""Mails saved reports when their time has come: each time once."""

from __future__ import annotations

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, queue, storage
from core.errors import Invalid, PortariaError, Unavailable
from core.ids import new_id
from core.logs import logger
from crm import workspace
from crm.reports import output, saved
from crm.reports.table import Table
from crm.staff_mail import note
from models.attachment import Attachment
from models.report import SavedReport

_MOST = 20
log = logger(__name__)


def send_due() -> int:
    """Makes and mails every report whose time has come; says how many."""
    with db.reading() as session:
        ids = session.scalars(
            select(SavedReport.id)
            .where(SavedReport.next_at <= clock.now())
            .order_by(SavedReport.next_at)
            .limit(_MOST)
        ).all()
    sent = 0
    for report_id in ids:
        try:
            # Made before the transaction that takes its turn: a report may take a second.
            with db.reading() as session:
                row = session.get(SavedReport, report_id)
                table = saved.make(session, row) if row is not None else None
            place = _kept(table, row.format) if table is not None and row is not None else ""
            error = ""
        except Unavailable:
            raise
        except PortariaError as refused:
            table, place = None, ""
            named = refused.fields.items() if isinstance(refused, Invalid) else ()
            error = "; ".join(f"{name} {words}" for name, words in named) or str(refused)
            log.warning("report.not_made", report_id=report_id, error=error)
        with db.unit_of_work() as session:
            sent += _turn(session, report_id, table, place, error)
    return sent


def _turn(session: Session, report_id: int, table: Table | None, place: str, error: str) -> int:
    """Takes the report's turn: of two who come at once, one finds it planned for later."""
    now = clock.now()
    row = session.scalars(
        select(SavedReport)
        .where(SavedReport.id == report_id, SavedReport.next_at <= now)
        .with_for_update(of=SavedReport, skip_locked=True)
    ).one_or_none()
    if row is None or row.next_at is None:
        return 0
    slot = row.next_at
    row.error = error
    # What was missed while nobody was there is sent once, and not for every time.
    saved.plan(session, row, after=now)
    if table is None:
        return 0
    row.sent_at = now
    name = output.file_name(table, row.format)
    content = storage.get(place)
    here = workspace.load(session)
    for to in row.recipients:
        files_id = new_id()
        session.add(
            Attachment(
                event_id=files_id,
                position=0,
                name=name,
                kind=output.TYPES[row.format].partition(";")[0],
                size=len(content),
                digest=hashlib.sha256(content).hexdigest(),
                place=place,
                created_at=now,
            )
        )
        message = note(
            session,
            to=to,
            subject=f"{row.name} ({output.period(table)})",
            text=f"{table.title}\n{output.period(table)}\n\n{len(table.rows)} rows are in {name}.\n",
            key=f"report:{row.id}:{slot.isoformat()}:{to}",
            sender=here.name,
        )
        message.files_id = files_id
        session.flush()
        queue.wake(session, queue.SEND_MAIL, message.id)
    return 1


def _kept(table: Table, form: str) -> str:
    place = f"reports/{new_id()}"
    storage.put(place, output.write(table, form))
    return place
