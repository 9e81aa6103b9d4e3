"""Imports: a file is looked at, its columns corrected, and it is brought in or taken back."""

from __future__ import annotations

from collections.abc import Iterator

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from console import auth
from core import db
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from intake import download, import_jobs, import_report
from intake.import_jobs import Order
from intake.imports.columns import IGNORED, targets
from models.import_job import AT_WORK, Duplicates, Imported, ImportJob, ImportRow, ImportState, RowOutcome
from models.user import Role

_MOST = 100
_FORESEEN = 20
_TOLD = (RowOutcome.FAILED, RowOutcome.KEPT)
_MOST_TOLD = 50


def all_imports() -> ResponseReturnValue:
    """The newest imports, and the form to begin one."""
    return _list()


def take_in() -> ResponseReturnValue:
    """Keeps the file, and shows what would become of it."""
    _allowed()
    file = request.files.get("file")
    if file is None or not file.filename:
        return _list("choose a file first"), 422
    try:
        order = Order(
            what=_what(),
            duplicates=_duplicates(),
            rules=request.form.get("rules") == "on",
            tags=[t.strip()[:100] for t in request.form.get("tags", "").split(",") if t.strip()][:50],
        )
        with db.unit_of_work() as session:
            job = import_jobs.create(session, file.stream, file.filename, order, by=_actor())
    except Invalid as error:
        return _list(str(error)), 422
    return redirect(url_for("console.import_one", import_id=job.id), 303)


def _list(mistake: str = "") -> str:
    with db.reading() as session:
        chosen = select(ImportJob).options(joinedload(ImportJob.source)).order_by(ImportJob.id.desc())
        found = session.scalars(chosen.limit(_MOST)).all()
    return render_template(
        "console/imports.html", found=found, may=_may(), mistake=mistake, policies=Duplicates, kinds=Imported
    )


def one_import(import_id: int) -> ResponseReturnValue:
    """Before it is started what would become of its rows; after that, what became of them."""
    return _page(import_id)


def _page(import_id: int, mistake: str = "") -> str:
    with db.reading() as session:
        job = _existing(session, import_id)
        told = session.scalars(
            select(ImportRow)
            .where(ImportRow.job_id == job.id, ImportRow.outcome.in_(_TOLD))
            .order_by(ImportRow.number)
            .limit(_MOST_TOLD)
        ).all()
        draft = job.state is ImportState.DRAFT
        seen = import_report.foreseen(session, job, most=_FORESEEN) if draft else None
        known = dict.fromkeys(import_jobs.known(session, job.what).fields.values())
    return render_template(
        "console/import.html",
        job=job,
        told=told,
        seen=seen,
        targets=(IGNORED, *targets(job.what.value), *known),
        policies=Duplicates,
        at_work=job.state in AT_WORK,
        may=_may(),
        mistake=mistake,
    )


def do(import_id: int, what: str) -> ResponseReturnValue:
    """Starts it as the page says, stops it, or takes it back."""
    _allowed()
    try:
        with db.unit_of_work() as session:
            job = _existing(session, import_id, lock=True)
            if what == "start":
                if job.state is ImportState.DRAFT:
                    _correct(session, job)
                if request.form.get("look") is None:
                    import_jobs.start(session, job)
            elif what == "stop":
                import_jobs.stop(job)
            else:
                import_jobs.undo(session, job)
    except (Conflict, Invalid) as error:
        return _page(import_id, str(error)), 422
    return redirect(url_for("console.import_one", import_id=import_id), 303)


def _correct(session: Session, job: ImportJob) -> None:
    given = {
        str(place): target
        for place in range(1, len(job.columns) + 1)
        if (target := request.form.get(f"column-{place}", "").strip())
    }
    rules = request.form.get("rules") == "on"
    import_jobs.change(session, job, mapping=given, duplicates=_duplicates(), rules=rules)


def errors(import_id: int) -> ResponseReturnValue:
    """The rows that failed, as CSV."""
    with db.reading() as session:
        _existing(session, import_id)
    return download.table(_lines(import_id), f"import-{import_id}-errors.csv")


def _lines(import_id: int) -> Iterator[str]:
    with db.reading() as session:
        yield from import_report.error_lines(session, _existing(session, import_id))


def _existing(session: Session, import_id: int, *, lock: bool = False) -> ImportJob:
    job = session.get(ImportJob, import_id, with_for_update={"of": ImportJob} if lock else None)
    if job is None:
        raise NotFound("There is no such import.")
    return job


def _duplicates() -> Duplicates:
    try:
        return Duplicates(request.form.get("duplicates", "skip"))
    except ValueError:
        raise Invalid("duplicates are skipped, updated or added") from None


def _what() -> Imported:
    try:
        return Imported(request.form.get("what", "lead"))
    except ValueError:
        raise Invalid("rows are leads, contacts, companies, deals or products") from None


def _may() -> bool:
    return auth.current_user().role in (Role.ADMIN, Role.MANAGER)


def _allowed() -> None:
    if not _may():
        raise NotAllowed("files are brought in by managers and administrators")


def _actor() -> str:
    return f"user:{auth.current_user().id}"
