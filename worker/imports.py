"""Takes imports on: reads the file into chunks once, then brings it in batch by batch, and undoes it.

One import at a time, held by a lease; each batch is a transaction that also moves the job's position, so
that a worker which dies costs nothing but time. What arrives meanwhile goes first.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta

from sqlalchemy.orm import Session

from core import clock, db, queue, storage
from core.errors import Invalid, NotFound, PortariaError, Unavailable
from core.ids import digest
from core.logs import logger
from core.savepoint import savepoint
from crm import importing, workspace
from crm.entry import Entry
from crm.imported import kinds
from crm.imported.lead import LeadRows
from crm.importing import Brought, Wanted
from crm.workspace import WorkspaceSettings
from intake import claims, import_jobs, lease
from intake.imports import entry as entries
from intake.imports.row import Row
from models.import_job import AT_WORK, Imported, ImportJob, ImportState, RowOutcome
from models.user import User
from rules import engine, outbox
from rules.assignment import ladder
from worker import import_rows, import_undo
from worker.import_undo import LEASE

#: Rows in one object of the storage, and in one transaction without and with rules.
CHUNK = 500
_BATCH, _BATCH_WITH_RULES = 100, 20
#: So long one ring works; then others get their turn.
_SLICE_SECONDS = 2.0
_RENEW_SECONDS = 5.0
_MOST_TRIES = 5
_YIELDS = 20
log = logger(__name__)


def advance(job_id: int) -> bool:
    """Takes an import on for a slice of time; says whether there is more to do, now."""
    holder = lease.new_holder()
    with db.unit_of_work(durable=False) as session:
        if lease.hold(session, import_jobs.LEASE_NAME, holder, term=LEASE) is None:
            return True  # another one is at work
        job = session.get(ImportJob, job_id, with_for_update=True)
        if job is None or job.state not in AT_WORK or job.due_at > clock.now():
            lease.release(session, import_jobs.LEASE_NAME, holder)
            return False
        if job.total is None:
            job.tries += 1  # counted before: a file that ends the process is counted too
    more = False
    try:
        more = _slice(job, holder)
    finally:
        with db.unit_of_work(durable=False) as session:
            lease.release(session, import_jobs.LEASE_NAME, holder)
            if more:
                queue.wake(session, queue.IMPORT, job_id)
    return more


def _slice(job: ImportJob, holder: str) -> bool:
    try:
        if job.state is ImportState.UNDOING:
            return _for_a_while(job.id, holder, import_undo.batch)
        if job.total is None:
            _stage(job, holder)
            return True
        return _for_a_while(job.id, holder, _batch)
    except Unavailable as error:
        _postpone(job.id, str(error))
    except (Invalid, NotFound) as error:
        _postpone(job.id, str(error), over=True)
    except Exception as error:  # kept with the job, which is tried again some times
        log.exception("import.failed", job=job.id)
        _postpone(job.id, f"{type(error).__name__}: {error}"[:2000], failed=True)
    return False


def _postpone(job_id: int, words: str, *, over: bool = False, failed: bool = False) -> None:
    """Tries it again in a moment; not where it is over, or has failed too often without getting on."""
    with db.unit_of_work() as session:
        job = session.get_one(ImportJob, job_id, with_for_update=True)
        job.error = words
        if failed and job.total is not None:  # reading it was counted before
            job.tries += 1
        if over or (failed and job.tries >= _MOST_TRIES):
            job.state, job.ended_at = ImportState.STOPPED, clock.now()
        else:
            job.due_at = clock.now() + timedelta(seconds=5)


def _for_a_while(job_id: int, holder: str, batch: import_undo.Batch) -> bool:
    end = clock.monotonic() + _SLICE_SECONDS
    while clock.monotonic() < end:
        if not batch(job_id, holder):
            return False
        _let_others_pass()
    return True


def _let_others_pass() -> None:
    """Waits for what has just arrived, for two seconds at most: an import has time."""
    for _ in range(_YIELDS):
        with db.reading() as session:
            if claims.longest_wait(session) < timedelta(milliseconds=50):
                return
        time.sleep(0.1)


def _stage(job: ImportJob, holder: str) -> None:
    """Reads the file through and keeps its rows in chunks, from which any batch can be had at once."""
    if job.tries > _MOST_TRIES:
        raise Invalid(f"reading it was cut off {_MOST_TRIES} times")
    understood = import_jobs.understood(job)
    said = clock.monotonic()
    total = 0
    with tempfile.TemporaryFile() as file:
        storage.fetch(f"{job.place}/file", file)
        for number, chunk in enumerate(_chunks(import_jobs.rows(file, understood))):
            storage.put(f"{job.place}/{number:06d}", json.dumps(chunk).encode())
            total += len(chunk)
            if clock.monotonic() - said > _RENEW_SECONDS:
                said = clock.monotonic()
                with db.unit_of_work(durable=False) as session:
                    _still_ours(session, holder)
    if not total:
        raise Invalid("there are no rows beneath the header")
    with db.unit_of_work() as session:
        _still_ours(session, holder)
        row = session.get_one(ImportJob, job.id, with_for_update=True)
        row.total, row.tries = total, 0


def _still_ours(session: Session, holder: str) -> None:
    if lease.hold(session, import_jobs.LEASE_NAME, holder, term=LEASE) is None:
        raise Unavailable("another worker has taken the import over")


def _chunks(rows: Iterator[Row]) -> Iterator[list[dict[str, object]]]:
    chunk: list[dict[str, object]] = []
    for row in rows:
        chunk.append(asdict(row))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _batch(job_id: int, holder: str) -> bool:
    with db.reading() as session:
        job = session.get_one(ImportJob, job_id)
    if job.state is not ImportState.WAITING or job.total is None:
        return False
    rows = _rows(job)
    try:
        with db.unit_of_work() as session:
            return _write(session, job, rows, holder, careful=False)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001  one row is at fault: each by itself, then
        log.warning("import.batch_failed", job=job.id, position=job.position, error=str(error)[:200])
    with db.unit_of_work() as session:
        return _write(session, job, rows, holder, careful=True)


def _rows(job: ImportJob) -> list[Row]:
    chunk, offset = divmod(job.position, CHUNK)
    stored = json.loads(storage.get(f"{job.place}/{chunk:06d}"))
    most = _BATCH_WITH_RULES if job.rules else _BATCH
    return [Row(row["number"], tuple(row["cells"]), row["problem"]) for row in stored[offset : offset + most]]


def _write(session: Session, seen: ImportJob, rows: list[Row], holder: str, *, careful: bool) -> bool:
    """One batch: its leads, what became of each row, and how far the job is."""
    _still_ours(session, holder)
    job = session.get_one(ImportJob, seen.id, with_for_update=True, populate_existing=True)
    if job.state is not ImportState.WAITING or job.position != seen.position:
        return job.state is ImportState.WAITING
    here = workspace.load(session)
    place, owners = import_jobs.place_of(session), import_jobs.Owners(session)
    columns = import_jobs.understood(job).columns
    found = [entries.read(row, columns, place, job.what.value) for row in rows]
    if job.what is Imported.LEAD:
        lead_rows = LeadRows(session)
        for entry in found:
            lead_rows.check(entry)
    taken = [(entry, owners.of(entry)) for entry in found]
    wanted = Wanted(
        source=job.source,
        duplicates=job.duplicates,
        what=job.name,
        actor=job.by,
        job_id=job.id,
        tags=job.tags,
        quiet=not job.rules,
        owner=session.get(User, job.owner_id) if job.owner_id else None,
    )
    good = [(entry, owner) for entry, owner in taken if not entry.problems]
    if careful:
        brought = [one for each in good for one in _alone(session, job, each, wanted, here)]
    else:
        brought = _brought(session, job, good, wanted, here)
    session.flush()
    if not job.rules:
        outbox.record(session, [h for one in brought for h in one.happenings], quiet=True)
    import_rows.keep(session, job, rows, found, brought)
    job.position += len(rows)
    job.tries, job.error = 0, ""
    if job.position >= (job.total or 0):
        job.state, job.ended_at = ImportState.DONE, clock.now()
    return job.state is ImportState.WAITING


def _brought(
    session: Session,
    job: ImportJob,
    good: Sequence[tuple[Entry, User | None]],
    wanted: Wanted,
    here: WorkspaceSettings,
) -> list[Brought]:
    """These rows as what the job says they are, and what rules make of them."""
    if job.what is Imported.LEAD:
        brought = importing.bring_in(session, good, wanted)
    else:
        brought = kinds.bring_in(session, job.what, good, wanted)
    for one in brought:
        _route(session, job, one, here)
    return brought


def _alone(
    session: Session,
    job: ImportJob,
    each: tuple[Entry, User | None],
    wanted: Wanted,
    here: WorkspaceSettings,
) -> list[Brought]:
    entry = each[0]
    try:
        with savepoint(session):
            brought = _brought(session, job, [each], wanted, here)
            session.flush()
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001  kept with the row, which can be brought in again
        words = str(error) if isinstance(error, PortariaError) else type(error).__name__
        named = error.fields.items() if isinstance(error, Invalid) else ()
        told = [f"{name.lstrip('/')}: {what}" for name, what in named]
        entry.problems += [one[:500] for one in told or [words]]
        return []
    return brought


def _route(session: Session, job: ImportJob, one: Brought, here: WorkspaceSettings) -> None:
    """What rules make of it; without them a lead that has no owner goes to the catch-all, silently."""
    if job.rules:
        cause = digest("import", str(job.id), str(one.entry.number))
        event_id = f"{cause[:8]}-{cause[8:12]}-8{cause[13:16]}-8{cause[17:20]}-{cause[20:32]}"
        if one.happenings:
            engine.react(session, one.happenings, workspace=here, event_id=event_id)
        if one.lead is not None and one.lead.owner_id is None:
            caught = ladder.catch(session, one.lead, here)
            engine.react(session, caught, workspace=here, event_id=event_id)
    elif one.lead is None:
        return
    elif one.outcome is RowOutcome.CREATED and one.lead.owner_id is None and here.catch_all is not None:
        ladder.catch(session, one.lead, here)
