"""Looks after the webhooks that providers send for a limited time: renews them, and asks for them anew.

Each look finds out what there is first: a subscription that somebody made by hand is taken over, and one that
the provider has given up (its webhooks were not answered) is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, http
from core.errors import Invalid, Permanent, Retry, Unavailable, Unreadable
from core.logs import logger
from intake import calling, pipeline, reconciliation, subscriptions
from intake.calls import CallAdapter, LineSettings, reading
from intake.calls.subscribing import SUBSCRIBERS, Asked, Subscriber, Subscription
from intake.text import clean
from models.line_subscription import LineSubscription
from models.source import Source
from worker import signing_in

#: So often each is looked at, and renewed; in a shorter life, when half of it is over.
EVERY = timedelta(hours=12)
_SOONEST = timedelta(minutes=1)
#: Longer than the four requests of a look take.
_LEASE = timedelta(minutes=3)
# After a failure, and from then on as the last of them.
_PAUSES = tuple(timedelta(seconds=s) for s in (30, 120, 600, 1800))
_MOST_BYTES = 1024 * 1024
_MOST = 200
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    source_id: int
    asked: str
    address: str
    adapter: CallAdapter[Any]
    line: LineSettings
    subscriber: Subscriber[Any]


def renew(source_id: int) -> None:
    """Looks after one line's subscription that is due: once, by whoever comes first."""
    with db.unit_of_work() as session:
        job = _claim(session, source_id)
    if job is None:
        return
    now_says = job.subscriber.asks_for(job.line, job.address)
    try:
        stands = _looked_after(job, now_says)
    except (Retry, Permanent, Unreadable) as error:
        _failed(source_id, str(error))
        return
    with db.unit_of_work() as session:
        row = session.get_one(LineSubscription, source_id, with_for_update=True)
        now = clock.now()
        row.provider_id, row.expires_at, row.asked = stands.id, stands.expires_at, now_says
        row.renewed_at, row.lease_until, row.tries, row.error = now, None, 0, ""
        half = (stands.expires_at - now) / 2 if stands.expires_at else EVERY
        row.due_at = now + max(min(EVERY, half), _SOONEST)


def _claim(session: Session, source_id: int) -> _Job | None:
    now = clock.now()
    row = session.get(LineSubscription, source_id, with_for_update=True)
    if row is None or row.due_at is None or row.due_at > now or (row.lease_until and row.lease_until > now):
        return None
    source = session.get_one(Source, source_id)
    why = subscriptions.trouble(session, source)
    if why is not None or not source.active:
        row.error, row.due_at = why or "the line is no longer in use", None
        return None
    adapter, line = pipeline.line_of(session, source)
    row.lease_until = now + _LEASE
    address = calling.address(source.key, line.provider)
    return _Job(source_id, row.asked, address, adapter, line, SUBSCRIBERS[line.provider])


def _looked_after(job: _Job, now_says: str) -> Subscription:
    """The subscription as it stands afterwards. Raises Retry, Permanent or Unreadable."""
    headers = {**signing_in.bearer(job.adapter, job.line), "Accept": reading.JSON}
    here, line, address = job.subscriber, job.line, job.address
    known = here.found(_body(here.find(line), headers), address)
    if known is not None and known.alive:
        same = job.asked == now_says
        asked = here.renew(known, line) if same else here.change(known, line, address)
        answer = _exchanged(asked, headers)
        if answer.status not in (404, 410):  # it ended while we were looking
            return here.told(_good(answer))
    elif known is not None:
        log.warning("subscription.given_up", source=job.source_id)
        _exchanged(here.drop(known, line), headers)
    return here.told(_body(here.make(line, address), headers))


def _body(asked: Asked, headers: dict[str, str]) -> bytes:
    return _good(_exchanged(asked, headers))


def _exchanged(asked: Asked, headers: dict[str, str]) -> http.Answer:
    typed = {**headers, "Content-Type": reading.JSON} if asked.content else headers
    return http.exchange(asked.method, asked.url, typed, content=asked.content, most=_MOST_BYTES)


def _good(answer: http.Answer) -> bytes:
    if 200 <= answer.status < 300:
        return answer.body
    try:
        said = reading.text(reading.document(answer.body).get("message"), 300) or ""
    except Unreadable:
        said = ""
    raise Retry(f"the provider answered {answer.status}" + (f": {clean(said)}" if said else ""))


def _failed(source_id: int, words: str) -> None:
    with db.unit_of_work() as session:
        row = session.get_one(LineSubscription, source_id, with_for_update=True)
        row.lease_until, row.error, row.tries = None, words[:500], row.tries + 1
        row.due_at = clock.now() + _PAUSES[min(row.tries, len(_PAUSES)) - 1]
    log.warning("subscription.not_renewed", source=source_id, error=words[:200])


def plan() -> int:
    """Makes sure that each line is looked after, at once where it says something else now; for how many."""
    made = 0
    with db.reading() as session:
        known = {r.source_id: r for r in session.scalars(select(LineSubscription))}
        ids = [s.id for s in reconciliation.lines(session) if _wants(session, s, known.get(s.id))]
    for source_id in ids:
        with db.unit_of_work() as session:
            subscriptions.row_of(session, source_id).due_at = clock.now()
            made += 1
    return made


def _wants(session: Session, source: Source, row: LineSubscription | None) -> bool:
    if subscriptions.trouble(session, source) is not None:
        return False
    if row is None or row.due_at is None:
        return True
    # What failed waits for its pause, whatever it was to say.
    try:
        return not row.error and row.asked not in ("", subscriptions.asks_for(session, source))
    except (Unavailable, Invalid):
        return False


def due() -> list[int]:
    """The lines whose subscription is to be looked after now."""
    now = clock.now()
    with db.reading() as session:
        chosen = select(LineSubscription.source_id).where(LineSubscription.due_at <= now)
        free = chosen.where((LineSubscription.lease_until.is_(None)) | (LineSubscription.lease_until < now))
        return list(session.scalars(free.limit(_MOST)))
