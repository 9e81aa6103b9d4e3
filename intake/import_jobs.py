"""Imports as jobs: taken in with their file, foreseen, started, stopped, undone. A worker does the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

from sqlalchemy import func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, queue, storage
from core.errors import Conflict, Invalid
from core.ids import new_id
from crm import catalogue, workspace
from crm.entry import Entry
from intake.imports import columns as understanding
from intake.imports import reading
from intake.imports.columns import FIELD, Column, Known
from intake.imports.entry import Place
from intake.imports.headers import folded
from intake.imports.reading import Reading
from intake.imports.row import Row
from intake.text import one_line
from models.import_job import AT_WORK, Duplicates, Imported, ImportJob, ImportState
from models.source import Channel, Source
from models.user import User

#: The most bytes of a file.
MOST_BYTES = 256 * 1024 * 1024
SOURCE = "import"
#: The lease of whoever is at work on imports.
LEASE_NAME = "imports"


@dataclass(frozen=True, slots=True)
class Order:
    """How a file is to be brought in. `mapping` is from headers, or numbers of columns, to targets."""

    what: Imported = Imported.LEAD
    source: str = SOURCE
    duplicates: Duplicates = Duplicates.SKIP
    rules: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] = ()
    owner: str | None = None
    delimiter: str | None = None
    charset: str | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Understood:
    """A file that can be read, and what its columns mean."""

    reading: Reading
    columns: list[Column]
    headed: bool
    what: Imported = Imported.LEAD


def understand(session: Session, file: IO[bytes], order: Order) -> Understood:
    """Looks at the beginning of a file. Raises Invalid for one that cannot be brought in."""
    file.seek(0, 2)
    if file.tell() > MOST_BYTES:
        raise Invalid(f"the file is larger than {MOST_BYTES // 2**20} MiB")
    how = reading.recognise(
        file,
        delimiter=order.delimiter,
        charset_name=order.charset,
        sheet=order.sheet,
        country=workspace.load(session).country,
    )
    first = reading.beginning(file, how)
    found, headed = understanding.understand(first, order.what.value, known(session, order.what))
    if len(first) == 1 and headed:
        raise Invalid("there are no rows beneath the header")
    found = understanding.corrected(found, order.mapping, order.what.value)
    understanding.check(found, order.what.value)
    return Understood(how, found, headed, order.what)


def known(session: Session, what: Imported) -> Known:
    """What a file of this kind may name of the workspace's own."""
    settings = catalogue.load(session)
    if what is Imported.PRODUCT:
        return Known()
    named = {
        folded(word): f"{FIELD}{own.key}"
        for own in settings.fields_of(what.value).values()  # type: ignore[arg-type]
        for word in (own.name, own.key)
        if word
    }
    if what is not Imported.LEAD:
        return Known(named)
    statuses = [word for own in settings.lead_statuses for word in (own.key, own.name)]
    reasons = [word for reason in settings.junk_reasons for word in (reason.key, reason.name)]
    sources = [word for row in session.execute(select(Source.key, Source.name)) for word in row]
    words = {"status": statuses, "reason": reasons, "source": sources}
    return Known(named, {target: frozenset(folded(w) for w in found if w) for target, found in words.items()})


def rows(file: IO[bytes], understood: Understood) -> Iterator[Row]:
    """The rows beneath the header. Raises Invalid where the file cannot be read any further."""
    return islice(reading.rows(file, understood.reading), 1 if understood.headed else 0, None)


def create(session: Session, file: IO[bytes], name: str, order: Order, *, by: str) -> ImportJob:
    """Takes a file in, and keeps it. Nothing is brought in before `start`. Raises Invalid."""
    understood = understand(session, file, order)
    owner = _user(session, order.owner) if order.owner else None
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    place = f"imports/{new_id()}"
    storage.put_file(f"{place}/file", file)
    job = ImportJob(
        source=_source(session, order.source),
        what=order.what,
        name=one_line(name)[:200] or "file",
        kind=understood.reading.kind,
        reading={**understood.reading.stored(), "headed": understood.headed},
        place=place,
        size=size,
        columns=[c.model_dump() for c in understood.columns],
        duplicates=order.duplicates,
        rules=order.rules,
        tags=list(dict.fromkeys(order.tags)),
        owner_id=owner.id if owner else None,
        state=ImportState.DRAFT,
        due_at=clock.now(),
        by=by,
        created_at=clock.now(),
    )
    session.add(job)
    session.flush()
    return job


def understood(job: ImportJob) -> Understood:
    """How a job's file is read."""
    values = dict(job.reading)
    headed = bool(values.pop("headed"))
    return Understood(Reading.of(values), [Column.model_validate(c) for c in job.columns], headed, job.what)


def change(
    session: Session,
    job: ImportJob,
    *,
    mapping: Mapping[str, str] | None = None,
    duplicates: Duplicates | None = None,
    rules: bool | None = None,
) -> None:
    """Corrects an import that is not started. Raises Conflict, or Invalid."""
    if job.state is not ImportState.DRAFT:
        raise Conflict("the import is started already")
    if mapping is not None:
        found = understanding.corrected(understood(job).columns, mapping, job.what.value)
        understanding.check(found, job.what.value)
        job.columns = [c.model_dump() for c in found]
    job.duplicates = duplicates or job.duplicates
    job.rules = job.rules if rules is None else rules


def start(session: Session, job: ImportJob) -> None:
    """Hands the import to the workers, or on again after it was stopped. Raises Conflict."""
    if job.state not in (ImportState.DRAFT, ImportState.STOPPED):
        raise Conflict(f"the import is {job.state.value}")
    job.state = ImportState.WAITING
    job.started_at = job.started_at or clock.now()
    job.ended_at, job.error, job.tries, job.due_at = None, "", 0, clock.now()
    _wake(session, job)


def stop(job: ImportJob) -> None:
    """Stops an import where it is; what it has brought in stays. Raises Conflict."""
    if job.state is not ImportState.WAITING:
        raise Conflict(f"the import is {job.state.value}")
    job.state = ImportState.STOPPED
    job.error = "stopped by a person"
    job.ended_at = clock.now()


def undo(session: Session, job: ImportJob) -> None:
    """Has what the import made taken back, as far as nobody has touched it since. Raises Conflict."""
    if job.state not in (ImportState.DONE, ImportState.STOPPED):
        raise Conflict(f"the import is {job.state.value}")
    job.state = ImportState.UNDOING
    job.ended_at, job.error, job.tries, job.due_at = None, "", 0, clock.now()
    _wake(session, job)


def _wake(session: Session, job: ImportJob) -> None:
    session.flush()
    queue.wake(session, queue.IMPORT, job.id)


def due(session: Session) -> Sequence[int]:
    """The imports that a worker can take on, the oldest first."""
    chosen = select(ImportJob.id).where(ImportJob.state.in_(AT_WORK), ImportJob.due_at <= clock.now())
    return session.scalars(chosen.order_by(ImportJob.id).limit(20)).all()


def place_of(session: Session) -> Place:
    """Where numbers and clocks of a file are read."""
    here = workspace.load(session)
    return Place(here.country, here.zone, here.locale)


class Owners:
    """The users that rows name as owners, looked up once each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[str, User | None] = {}

    def of(self, entry: Entry) -> User | None:
        """The entry's owner; one that is not there is a problem of the entry."""
        if entry.owner is None:
            return None
        word = entry.owner.casefold()
        if word not in self._found:
            self._found[word] = _find_user(self._session, word)
        if self._found[word] is None:
            entry.problems.append(f"there is no user '{one_line(entry.owner)[:60]}'")
        return self._found[word]


def _find_user(session: Session, word: str) -> User | None:
    named = or_(func.lower(User.email) == word, func.lower(User.name) == word)
    found = session.scalars(select(User).where(named, User.active).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _user(session: Session, word: str) -> User:
    found = _find_user(session, word.casefold())
    if found is None:
        raise Invalid(f"there is no user '{word[:60]}'", {"/owner": "is no active user"})
    return found


def _source(session: Session, key: str) -> Source:
    """The source of what is imported under this key, made when it is first used."""
    known = session.scalars(
        select(Source).where(Source.channel == Channel.IMPORT, Source.key == key)
    ).one_or_none()
    if known is not None:
        return known
    name = "Import" if key == SOURCE else key
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(Source)
        .values(channel=Channel.IMPORT, key=key, name=name, settings={"key": key, "name": name}, active=True)
        .on_conflict_do_nothing(index_elements=["channel", "key"])
    )
    return session.scalars(select(Source).where(Source.channel == Channel.IMPORT, Source.key == key)).one()
