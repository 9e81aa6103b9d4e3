"""Fetches recordings of calls into the storage, and forgets them when their days are over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, http, storage
from core.errors import Invalid, NotFound, Permanent, PortariaError, Retry, Unavailable
from core.logs import logger
from intake import pipeline
from intake.calls import CallAdapter, LineSettings
from intake.calls.line import SENT
from intake.forms.filetypes import kind_of
from models.call import Call
from models.recording import Recording, RecordingState
from models.source import Channel, Source
from worker import signing_in

#: The most bytes of one recording: some four hours of speech.
MOST_BYTES = 64 * 1024 * 1024
#: Longer than the slowest download takes.
_LEASE = timedelta(minutes=5)
# Ten tries over about a day: a provider tells of a recording before it can be had.
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=6)
_MOST_TRIES = 10
_MOST = 200
_YEAR = 365
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    id: int
    said: str
    call_id: int
    adapter: CallAdapter[Any]
    line: LineSettings


def fetch(recording_id: int) -> None:
    """Fetches one recording that is due: once, by whoever comes first."""
    with db.unit_of_work() as session:
        job = _claim(session, recording_id)
    if job is None:
        return
    try:
        content = _content(job)
        place = f"recordings/{job.call_id}/{job.id}"
        storage.put(place, content)
    except Permanent as error:
        _failed(job, str(error), over=True)
    except PortariaError as error:
        _failed(job, str(error), over=False)
    else:
        with db.unit_of_work() as session:
            row = session.get_one(Recording, job.id)
            row.state, row.place, row.size = RecordingState.KEPT, place, len(content)
            row.kind, row.kept_at, row.due_at, row.error = kind_of(content, job.said), clock.now(), None, ""
        _tidy(job)


def _claim(session: Session, recording_id: int) -> _Job | None:
    now = clock.now()
    row = session.get(Recording, recording_id, with_for_update=True)
    if row is None or row.state is not RecordingState.WAITING or row.due_at is None or row.due_at > now:
        return None
    call = session.get_one(Call, row.call_id)
    try:
        adapter, line = pipeline.line_of(session, session.get_one(Source, call.source_id))
    except (Unavailable, Invalid) as error:
        row.tries, row.due_at, row.error = row.tries + 1, now + _pause(row.tries), str(error)
        return None
    if not line.recordings:
        row.state, row.due_at, row.error = (
            RecordingState.FAILED,
            None,
            "the line keeps no recordings any more",
        )
        return None
    row.due_at = now + _LEASE
    row.tries += 1
    return _Job(row.id, row.said, call.id, adapter, line)


def _content(job: _Job) -> bytes:
    """Raises Permanent, Retry or Unavailable."""
    if job.said.startswith(SENT):
        return _sent(job.said.removeprefix(SENT))
    how = job.adapter.recording(job.said, job.line, clock.now())
    if how is None:
        raise Permanent("the line has no way to fetch it: an address elsewhere, or no access to the provider")

    def may(url: str) -> bool:
        return job.adapter.may_fetch(url, job.line)

    headers = {**how.headers, **signing_in.bearer(job.adapter, job.line)}
    content = http.download(how.url, headers, may=may, most=MOST_BYTES)
    link = job.adapter.linked(job.said, content)
    if link is not None:
        if not link:
            raise Retry("the provider names no address of it yet")
        content = http.download(link, {}, may=may, most=MOST_BYTES)
    kind = kind_of(content, job.said.partition("?")[0])
    if not kind.startswith(("audio/", "video/")):
        raise Retry(f"what was answered is no sound but {kind}")
    return content


def _tidy(job: _Job) -> None:
    """What came with its event, and has its place now, lies nowhere else."""
    if not job.said.startswith(SENT):
        return
    try:
        storage.delete(job.said.removeprefix(SENT))
    except PortariaError as error:
        log.warning("recording.not_tidied", recording=job.id, error=str(error))


def _sent(key: str) -> bytes:
    """A recording that came with its event. Raises Permanent for what is none, or is gone."""
    try:
        content = storage.get(key)
    except NotFound as error:
        raise Permanent(str(error)) from None
    kind = kind_of(content, "")
    if not kind.startswith(("audio/", "video/")):
        raise Permanent(f"what was sent is no sound but {kind}")
    return content


def _failed(job: _Job, words: str, *, over: bool) -> None:
    with db.unit_of_work() as session:
        row = session.get_one(Recording, job.id)
        row.error = words[:500]
        over = over or row.tries >= _MOST_TRIES
        row.state = RecordingState.FAILED if over else RecordingState.WAITING
        row.due_at = None if over else clock.now() + _pause(row.tries)
    log.info("recording.failed" if over else "recording.postponed", recording=job.id, error=words[:200])


def _pause(tries: int) -> timedelta:
    pause: timedelta = _FIRST_PAUSE * 2 ** min(tries, 20)
    return min(pause, _LONGEST_PAUSE)


def due() -> list[int]:
    """The recordings that wait to be fetched now."""
    with db.reading() as session:
        chosen = select(Recording.id).where(
            Recording.state == RecordingState.WAITING, Recording.due_at <= clock.now()
        )
        return list(session.scalars(chosen.order_by(Recording.due_at).limit(_MOST)))


def forget() -> int:
    """Removes the recordings whose line keeps them no longer; says how many."""
    with db.reading() as session:
        lines = [(s.id, _days(session, s)) for s in session.scalars(select(Source)) if _is_line(s)]
    return sum(_forget(source_id, clock.now() - timedelta(days=days)) for source_id, days in lines)


def _is_line(source: Source) -> bool:
    return source.channel is Channel.CALL


def _days(session: Session, source: Source) -> int:
    """For how many days, also where the line is not ready now: then as it was declared, else a year."""
    try:
        return pipeline.line_of(session, source)[1].recording_days
    except (PortariaError, ValidationError):
        said = source.settings.get("recording_days")
        return said if isinstance(said, int) else _YEAR


def _forget(source_id: int, before: datetime) -> int:
    done, after = 0, 0
    while True:
        with db.reading() as session:
            chosen = (
                select(Recording.id, Recording.place)
                .join(Call, Call.id == Recording.call_id)
                .where(Call.source_id == source_id, Recording.state == RecordingState.KEPT)
                .where(Recording.kept_at < before, Recording.id > after)
            )
            rows = session.execute(chosen.order_by(Recording.id).limit(_MOST)).all()
        for recording_id, place in rows:
            after = recording_id
            try:
                storage.delete(place)
            except (Unavailable, NotFound) as error:
                log.warning("recording.not_forgotten", recording=recording_id, error=str(error))
                continue
            with db.unit_of_work() as session:
                row = session.get_one(Recording, recording_id)
                row.state, row.place, row.size = RecordingState.FORGOTTEN, "", 0
            done += 1
        if len(rows) < _MOST:
            return done
