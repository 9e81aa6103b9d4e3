"""Commands about imports: a file of leads or of what else there is, brought in here or by the workers."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import IO, Any

import click

from boot.commands.configuration import begin
from core import db
from core.errors import Invalid, NotFound
from intake import import_jobs, import_report
from intake.import_foresight import Foresight, foresee
from intake.import_jobs import Order
from models.import_job import AT_WORK, Duplicates, Imported, ImportJob, ImportState
from worker import imports

_COUNTS = ("created", "updated", "skipped", "failed", "removed", "restored", "kept")
_SHOWN = 10


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--what",
    type=click.Choice([w.value for w in Imported]),
    default="lead",
    show_default=True,
    help="What the rows are.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would become of the rows.")
@click.option("--map", "mapping", multiple=True, metavar="COLUMN=TARGET", help="Say what a column becomes.")
@click.option(
    "--duplicates",
    type=click.Choice([d.value for d in Duplicates]),
    default="skip",
    show_default=True,
    help="What becomes of rows of people who have a lead already.",
)
@click.option(
    "--rules",
    type=click.Choice(["on", "off"]),
    default="off",
    show_default=True,
    help="Whether rules react, which may write to everybody in the file.",
)
@click.option("--source", default="import", show_default=True, help="Key of the leads' source.")
@click.option("--owner", help="User who gets the leads of which no row says so.")
@click.option("--tag", "tags", multiple=True, help="Tag of all leads; may be given again.")
@click.option("--delimiter", help="Where it is not told by the file; 'tab' for a tab.")
@click.option("--charset", help="Where it is not told by the file.")
@click.option("--sheet", help="Of a workbook; the first one otherwise.")
@click.option("--errors", type=click.Path(path_type=Path), help="Write the rows that failed there, as CSV.")
@click.option("--detach", is_flag=True, help="Leave it to the workers, and do not wait for them.")
@click.option("--undo", type=int, metavar="NUMBER", help="Take an import back instead.")
@click.option("--resume", type=int, metavar="NUMBER", help="Go on with an import that was stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_command(
    file: Path | None,
    what: str,
    dry_run: bool,
    mapping: tuple[str, ...],
    duplicates: str,
    rules: str,
    tags: tuple[str, ...],
    delimiter: str | None,
    errors: Path | None,
    detach: bool,
    undo: int | None,
    resume: int | None,
    as_json: bool,
    **others: Any,
) -> None:
    """Bring in a file of leads, or of what --what says: CSV of any kind, a workbook (.xlsx), or vCards.

    What columns mean is told by their headers and contents; --map corrects it. TARGET is a lead's field
    (name, first_name, last_name, email, phone, company, title, message, tags, status, owner, score,
    created_at, consent, utm_source ...), fields.NAME for a custom field, or - for nothing.

    \b
    Example: portaria import leads.csv --dry-run
             portaria import leads.csv --map "Mobile no.=phone" --duplicates update
             portaria import products.csv --what product --duplicates update
             portaria import --undo 3
    """
    begin()
    if (file is not None) + (undo is not None) + (resume is not None) != 1:
        raise Invalid("name one file, or say --undo or --resume with the number of an import")
    if file is None:
        _follow(_again(undo, resume), as_json, errors, detach)
        return
    order = Order(
        what=Imported(what),
        duplicates=Duplicates(duplicates),
        rules=rules == "on",
        mapping=_mapping(mapping),
        tags=tags,
        delimiter="\t" if delimiter == "tab" else delimiter,
        **others,
    )
    try:
        opened = file.open("rb")
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    with opened:
        if dry_run:
            _foresee(opened, order, as_json)
            return
        with db.unit_of_work() as session:
            job = import_jobs.create(session, opened, file.name, order, by="command line")
            import_jobs.start(session, job)
    _follow(job.id, as_json, errors, detach)


def _mapping(written: tuple[str, ...]) -> dict[str, str]:
    wrong = [each for each in written if "=" not in each]
    if wrong:
        raise Invalid(f"--map {wrong[0]}: write COLUMN=TARGET, such as 'Mobile=phone'")
    return {name: target.strip() for name, _, target in (each.rpartition("=") for each in written)}


def _again(undo: int | None, resume: int | None) -> int:
    with db.unit_of_work() as session:
        number = undo if undo is not None else resume or 0
        job = session.get(ImportJob, number, with_for_update=True)
        if job is None:
            raise NotFound(f"there is no import {number}")
        if undo is not None:
            import_jobs.undo(session, job)
        elif job.state not in AT_WORK:
            import_jobs.start(session, job)
    return number


def _foresee(file: IO[bytes], order: Order, as_json: bool) -> None:
    told = Foresight()
    with db.reading() as session:
        understood = import_jobs.understand(session, file, order)
        for told in foresee(session, file, understood):
            _progress(f"{told.rows} rows looked at", as_json)
    _progress("", as_json)
    if as_json:
        click.echo(json.dumps(_foreseen(told, understood), default=str))
        return
    click.echo(f"{understood.reading.kind} {understood.reading.charset} {understood.reading.delimiter!r}")
    for column in understood.columns:
        click.echo(f"  {column.header}  ->  {column.target}    {' | '.join(column.samples)}")
    for entry, becomes in told.first[:_SHOWN]:
        words = "; ".join(entry.problems) or ", ".join(
            [entry.name or entry.own.get("title", ""), *entry.emails, *entry.phones]
        )
        click.echo(f"  row {entry.number}: {becomes}: {words}")
    for number, words in told.problems[:_SHOWN]:
        click.echo(f"  row {number} fails: {words}")
    known = {"skip": "skipped", "update": "updated", "add": "added"}[order.duplicates.value]
    click.echo(
        f"{told.rows} rows: {told.created} new, {told.known} of known people ({known}), {told.failed} fail. "
        "Nothing was brought in: this was a dry run."
    )


def _foreseen(told: Foresight, understood: import_jobs.Understood) -> dict[str, Any]:
    return {
        "reading": understood.reading.stored(),
        "columns": [c.model_dump() for c in understood.columns],
        "rows": told.rows,
        "created": told.created,
        "known": told.known,
        "failed": told.failed,
        "problems": [{"row": number, "reason": words} for number, words in told.problems],
    }


def _follow(job_id: int, as_json: bool, errors: Path | None, detach: bool) -> None:
    """Does the work here, or watches who is at it, until it is over."""
    job = _job(job_id)
    while job.state in AT_WORK and not detach:
        if imports.advance(job_id):
            time.sleep(0.05)
        job = _job(job_id)
        if job.state in AT_WORK and job.error:
            time.sleep(0.5)
        _progress(f"{job.position} of {job.total if job.total is not None else '?'} rows", as_json)
    _progress("", as_json)
    counts = {name: getattr(job, name) for name in _COUNTS}
    if as_json:
        told = {"id": job.id, "state": job.state.value, "total": job.total, **counts, "error": job.error}
        click.echo(json.dumps(told))
    else:
        words = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
        click.echo(f"Import {job.id} is {job.state.value}: {words or 'nothing yet'}.")
    if errors is not None:
        with db.reading() as session, errors.open("w", newline="", encoding="utf-8") as written:
            written.writelines(import_report.error_lines(session, job))
    if job.state is ImportState.STOPPED:
        raise Invalid(job.error)


def _job(job_id: int) -> ImportJob:
    with db.reading() as session:
        return session.get_one(ImportJob, job_id)


def _progress(words: str, as_json: bool) -> None:
    if not as_json and sys.stderr.isatty():
        click.echo(f"\r\033[K{words}", err=True, nl=False)


COMMANDS = (import_command,)
