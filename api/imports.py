"""Imports: a file of leads, or what else there is: taken in, foreseen, corrected, brought in, taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from api import auth
from api.body import takes_file
from api.import_views import (
    BroughtRow,
    Correction,
    Foreseen,
    ForeseenRow,
    ForeseeQuery,
    Import,
    RowQuery,
    Upload,
)
from api.paging import Page, page
from api.parameters import PageQuery, RowPath
from api.resource import answer, group, refused
from core import db
from core.errors import Invalid, NotFound
from core.settings import settings
from intake import download, import_jobs, import_report
from intake.import_jobs import Order
from models.import_job import ImportJob, ImportRow
from models.user import Role

resource = group("imports", "Files of leads, contacts, companies, deals, products: CSV, Excel, vCard")


def existing(session: Session, import_id: int, *, lock: bool = False) -> ImportJob:
    """The import's row. Raises NotFound."""
    row = session.get(ImportJob, import_id, with_for_update=lock)
    if row is None:
        raise NotFound("there is no such import")
    return row


@resource.post("/imports", responses={201: Import, **refused(413, 415)})
@auth.require(Role.ADMIN, Role.MANAGER)
@takes_file(import_jobs.MOST_BYTES)
def create_import(form: Upload) -> Response:
    """Takes a file in: any CSV, an Excel workbook, or vCards. It is brought in once it is started."""
    order = Order(
        what=form.what,
        source=form.source,
        duplicates=form.duplicates,
        rules=form.rules,
        mapping=_mapping(form.mapping),
        tags=[t.strip()[:100] for t in form.tags.split(",") if t.strip()][:50],
        owner=form.owner or None,
        delimiter=form.delimiter or None,
        charset=form.charset or None,
        sheet=form.sheet or None,
    )
    with db.unit_of_work() as session:
        row = import_jobs.create(
            session, form.file.stream, form.file.filename or "file", order, by=auth.caller().actor
        )
        if form.start:
            import_jobs.start(session, row)
        made = Import.of(row)
    return answer(made, 201, location=f"{settings().address}/api/v1/imports/{made.id}")


@resource.get("/imports", responses={200: Page[Import]})
def list_imports(query: PageQuery) -> Response:
    """The imports, newest first."""
    with db.reading() as session:
        chosen = select(ImportJob).options(joinedload(ImportJob.source))
        rows, following = page(session, chosen, ImportJob.id, query, of="imports")
        made = Page[Import](items=[Import.of(row) for row in rows], next_cursor=following)
    return answer(made)


@resource.get("/imports/<row:id>", responses={200: Import, **refused(404)})
def get_import(path: RowPath) -> Response:
    """One import, and how far it is."""
    with db.reading() as session:
        made = Import.of(existing(session, path.id))
    return answer(made)


@resource.get("/imports/<row:id>/preview", responses={200: Foreseen, **refused(404)})
def preview_import(path: RowPath, query: ForeseeQuery) -> Response:
    """What would become of the first rows. Nothing is written."""
    with db.reading() as session:
        told = import_report.foreseen(session, existing(session, path.id), most=query.limit)
    items = [
        ForeseenRow(
            row=entry.number,
            becomes=becomes,
            name=entry.name,
            emails=entry.emails,
            phones=entry.phones,
            company=entry.own.get("company"),
            values=entry.own,
            tags=entry.tags,
            fields=entry.fields,
            problems=entry.problems,
        )
        for entry, becomes in told.first
    ]
    made = Foreseen(rows=told.rows, created=told.created, known=told.known, failed=told.failed, items=items)
    return answer(made)


@resource.post("/imports/<row:id>/correct", responses={200: Import, **refused(400, 404, 409, 413, 415)})
@auth.require(Role.ADMIN, Role.MANAGER)
def correct_import(path: RowPath, body: Correction) -> Response:
    """Says what columns mean, what becomes of duplicates, and whether rules react, before it is started."""
    with db.unit_of_work() as session:
        row = existing(session, path.id, lock=True)
        import_jobs.change(session, row, mapping=body.mapping, duplicates=body.duplicates, rules=body.rules)
        made = Import.of(row)
    return answer(made)


@resource.post("/imports/<row:id>/start", responses={200: Import, **refused(404, 409)})
@auth.require(Role.ADMIN, Role.MANAGER)
def start_import(path: RowPath) -> Response:
    """Begins, or goes on after it was stopped."""
    with db.unit_of_work() as session:
        row = existing(session, path.id, lock=True)
        import_jobs.start(session, row)
        made = Import.of(row)
    return answer(made)


@resource.post("/imports/<row:id>/stop", responses={200: Import, **refused(404, 409)})
@auth.require(Role.ADMIN, Role.MANAGER)
def stop_import(path: RowPath) -> Response:
    """Stops where it is; what was brought in stays."""
    with db.unit_of_work() as session:
        row = existing(session, path.id, lock=True)
        import_jobs.stop(row)
        made = Import.of(row)
    return answer(made)


@resource.post("/imports/<row:id>/undo", responses={200: Import, **refused(404, 409)})
@auth.require(Role.ADMIN, Role.MANAGER)
def undo_import(path: RowPath) -> Response:
    """Takes back what it made and nobody has touched since; the rows say why others are kept."""
    with db.unit_of_work() as session:
        row = existing(session, path.id, lock=True)
        import_jobs.undo(session, row)
        made = Import.of(row)
    return answer(made)


@resource.get("/imports/<row:id>/rows", responses={200: Page[BroughtRow], **refused(404)})
def list_import_rows(path: RowPath, query: RowQuery) -> Response:
    """What became of each row, the last one first."""
    with db.reading() as session:
        existing(session, path.id)
        chosen = select(ImportRow).where(ImportRow.job_id == path.id)
        if query.outcome is not None:
            chosen = chosen.where(ImportRow.outcome == query.outcome)
        rows, following = page(session, chosen, ImportRow.number, query, of=f"import:{path.id}")
    items = [
        BroughtRow(
            row=r.number, outcome=r.outcome, lead_id=r.lead_id, element_id=r.element_id, reason=r.reason
        )
        for r in rows
    ]
    return answer(Page[BroughtRow](items=items, next_cursor=following))


@resource.get("/imports/<row:id>/errors", responses={**refused(404)})
def import_errors(path: RowPath) -> Response:
    """A CSV of the rows that failed, each with its number and its reason: to be mended and sent again."""
    with db.reading() as session:
        existing(session, path.id)
    return download.table(_error_lines(path.id), f"import-{path.id}-errors.csv")


def _error_lines(import_id: int) -> Iterator[str]:
    with db.reading() as session:
        yield from import_report.error_lines(session, existing(session, import_id))


def _mapping(written: str) -> dict[str, str]:
    if not written:
        return {}
    try:
        found = json.loads(written)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise Invalid("some values are not acceptable", {"mapping": "is no JSON object of texts"})
    return found
