"""Fetches recordings of calls into the storage, and forgets them when their days are over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, http, storage
from core.errors import Invalid, NotFound, Permanent, PortariaError, Retry, Unavailable
from core.logs import logger
from intake import pipeline
from intake.calls import CallAdapter, LineSettings
from intake.forms.filetypes import kind_of
from models.call import Call
from models.recording import Recording, RecordingState
from models.source import Source

#: The most bytes of one recording: some four hours of speech.
MOST_BYTES = 64 * 1024 * 1024
#: Longer than the slowest download takes.
_LEASE = timedelta(minutes=5)
# Ten tries over about a day: a provider tells of a recording before it can be had.
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=6)
_MOST_TRIES = 10
_MOST = 200
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
    row.due_at = now + _LEASE
    row.tries += 1
    return _Job(row.id, row.said, call.id, adapter, line)


def _content(job: _Job) -> bytes:
    """Raises Permanent, Retry or Unavailable."""
    how = job.adapter.recording(job.said, job.line, clock.now())
    if how is None:
        raise Permanent("the line has no way to fetch it: an address elsewhere, or no access to the provider")

    def may(url: str) -> bool:
        return job.adapter.may_fetch(url, job.line)

    headers = {**how.headers, **_signed_in(job)}
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


def _signed_in(job: _Job) -> dict[str, str]:
    """The header of an access token, for providers that want one; asked for anew each time."""
    entry = job.adapter.sign_in(job.line)
    if entry is None:
        return {}
    try:
        token = json.loads(http.ask(entry.url, dict(entry.headers), form=entry.form)).get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Retry("the provider gave no access token")
    return {"Authorization": f"Bearer {token}"}


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
    done = 0
    with db.reading() as session:
        lines = [
            (s.id, int(s.settings.get("recording_days") or 365)) for s in session.scalars(select(Source))
        ]
    for source_id, days in lines:
        before = clock.now() - timedelta(days=days)
        with db.reading() as session:
            chosen = (
                select(Recording.id, Recording.place)
                .join(Call, Call.id == Recording.call_id)
                .where(Call.source_id == source_id, Recording.state == RecordingState.KEPT)
                .where(Recording.kept_at < before)
            )
            rows = session.execute(chosen.limit(_MOST)).all()
        for recording_id, place in rows:
            try:
                storage.delete(place)
            except (Unavailable, NotFound) as error:
                log.warning("recording.not_forgotten", recording=recording_id, error=str(error))
                continue
            with db.unit_of_work() as session:
                row = session.get_one(Recording, recording_id)
                row.state, row.place, row.size = RecordingState.FORGOTTEN, "", 0
            done += 1
    return done
