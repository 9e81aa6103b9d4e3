"""Looks through providers' lists of calls, and journals what those told that we never heard of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, http, queue
from core.errors import Permanent, Retry, Unreadable
from core.logs import logger
from intake import journal, pipeline, reconciliation
from intake.calls import BY_NAME, LineSettings
from intake.calls.history import HISTORIES, History, Page
from intake.delivery import Delivery
from models.call import Call
from models.call_check import CallCheck
from models.source import Source

#: So far back the first check looks, and no check farther than the second.
_FIRST = timedelta(hours=24)
_FARTHEST = timedelta(days=7)
#: Checks overlap: no call lasts longer, and a provider's list is some minutes behind.
_OVERLAP = timedelta(hours=6)
_SETTLED = timedelta(minutes=10)
_LEASE = timedelta(minutes=2)
# After a failure; then the check is given up until its next time.
_PAUSES = tuple(timedelta(seconds=s) for s in (30, 120, 600, 1800, 3600))
_LONGEST_PAUSE = timedelta(hours=1)
#: Pages in one go; another worker may go on with the next ones.
_PAGES = 10
_MOST_PAGES = 1000
_MOST_BYTES = 8 * 1024 * 1024
_MOST = 200
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    source_id: int
    since: datetime
    until: datetime
    following: str | None
    history: History[Any]
    line: LineSettings


def check(source_id: int) -> None:
    """Goes through a line's list of calls that is due, some pages of it, by whoever comes first."""
    for _ in range(_PAGES):
        with db.unit_of_work() as session:
            job = _claim(session, source_id)
        if job is None:
            return
        try:
            page = _asked(job)
        except Retry as error:
            _failed(source_id, str(error), after=error.after, over=False)
            return
        except (Permanent, Unreadable) as error:
            _failed(source_id, str(error), after=None, over=True)
            return
        with db.unit_of_work() as session:
            if not _taken_in(session, job, page):
                return
    with db.unit_of_work() as session:
        queue.wake(session, queue.CHECK_LINE, source_id)


def _claim(session: Session, source_id: int) -> _Job | None:
    now = clock.now()
    row = session.get(CallCheck, source_id, with_for_update=True)
    if row is None or row.due_at is None or row.due_at > now or (row.lease_until and row.lease_until > now):
        return None
    source = session.get_one(Source, source_id)
    why = reconciliation.trouble(session, source)
    if why is not None or not source.active:
        row.error, row.due_at, row.following = why or "the line is no longer in use", None, None
        return None
    _, line = pipeline.line_of(session, source)
    history = HISTORIES[line.provider]
    if row.since is None or row.until is None:
        row.until = now
        row.since = max((row.checked_until or now - _FIRST) - _OVERLAP, now - _FARTHEST)
        if history.hours is not None:
            row.since = max(row.since, now - timedelta(hours=history.hours) + _SETTLED)
        row.following, row.pages, row.looked, row.found = None, 0, 0, 0
    row.lease_until = now + _LEASE
    return _Job(source_id, row.since, row.until, row.following, history, line)


def _asked(job: _Job) -> Page:
    how = job.history.ask(job.since, job.until, job.following, job.line)
    answer = http.exchange("GET", how.url, how.headers, most=_MOST_BYTES)
    if answer.status == 429 or answer.status >= 500:
        raise Retry(f"the provider answered {answer.status}", after=_patience(answer))
    if answer.status in (401, 403):
        raise Permanent(f"the provider does not let us in: it answered {answer.status}")
    if answer.status != 200:
        raise Permanent(f"the provider answered {answer.status}")
    return job.history.page(answer.body, job.following, job.line)


def _patience(answer: http.Answer) -> timedelta | None:
    said = answer.headers.get("retry-after", "")
    return min(timedelta(seconds=int(said)), _LONGEST_PAUSE) if re.fullmatch("[0-9]{1,6}", said) else None


def _taken_in(session: Session, job: _Job, page: Page) -> bool:
    """Journals the page's unknown calls and moves on to the next one; says whether there is one."""
    now = clock.now()
    row = session.get_one(CallCheck, job.source_id, with_for_update=True)
    adapter = BY_NAME[job.line.provider]
    known = _known(session, job.source_id, {event.call_id for event in page.events})
    missing = [event for event in page.events if event.call_id not in known]
    entries = []
    for event in missing:
        delivery = Delivery(event.content, event.content_type, now)
        key = f"listed:{adapter.dedupe_key(delivery, job.line)}"[:200]
        entries.append(journal.Entry(job.source_id, adapter.name, key, delivery))
    new = [
        e for e, r in zip(missing, journal.append(session, entries) if entries else [], strict=True) if r.new
    ]
    row.looked += page.calls
    row.found += len({event.call_id for event in new})
    row.pages, row.tries, row.lease_until = row.pages + 1, 0, None
    row.following = page.following
    if page.following is not None and row.pages < _MOST_PAGES:
        return True
    row.ended_at, row.last_looked, row.last_found, row.error = now, row.looked, row.found, ""
    row.checked_until = job.until
    row.since = row.until = row.following = None
    row.due_at = now + reconciliation.EVERY
    if row.found:
        log.warning("calls.found", source=job.source_id, count=row.found)
    return False


def _known(session: Session, source_id: int, call_ids: set[str]) -> set[str]:
    """The calls of which the provider's own end is known."""
    chosen = select(Call.group_id).where(
        Call.source_id == source_id,
        Call.group_id.in_(call_ids),
        Call.result.is_not(None),
        Call.closed_reason.is_(None),
    )
    return set(session.scalars(chosen))


def _failed(source_id: int, words: str, *, after: timedelta | None, over: bool) -> None:
    with db.unit_of_work() as session:
        row = session.get_one(CallCheck, source_id, with_for_update=True)
        row.lease_until, row.error, row.tries = None, words[:500], row.tries + 1
        over = over or row.tries > len(_PAUSES)
        if over:
            row.since = row.until = row.following = None
            row.tries = 0
        pause = reconciliation.EVERY if over else max(_PAUSES[row.tries - 1], after or timedelta())
        row.due_at = clock.now() + pause
    log.warning("calls.not_checked", source=source_id, error=words[:200], over=over)


def plan() -> int:
    """Makes sure that each line that can be checked is, regularly; says how many are new."""
    made = 0
    with db.reading() as session:
        known = set(session.scalars(select(CallCheck.source_id).where(CallCheck.due_at.is_not(None))))
        ids = [
            source.id
            for source in reconciliation.lines(session)
            if source.id not in known and reconciliation.trouble(session, source) is None
        ]
    for source_id in ids:
        with db.unit_of_work() as session:
            row = reconciliation.standing(session, source_id)
            row.due_at = row.due_at or clock.now()
            made += 1
    return made


def due() -> list[int]:
    """The lines that are to be checked now."""
    now = clock.now()
    with db.reading() as session:
        chosen = select(CallCheck.source_id).where(CallCheck.due_at <= now)
        free = chosen.where((CallCheck.lease_until.is_(None)) | (CallCheck.lease_until < now))
        return list(session.scalars(free.limit(_MOST)))
