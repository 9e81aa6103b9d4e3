"""Delivers webhooks: signed as Standard Webhooks describes, again and again over three days, then given up.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from core import clock, db, http, secrets
from core.errors import Invalid, NotSent, Permanent, PortariaError, Retry
from core.logs import logger
from models.domain_event import DomainEvent
from models.user import Role, User
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from models.workspace import WorkspaceRow
from rules.order import MailOrder
from rules.outbox import PREFIX
from rules.webhooks import WebhookSettings
from worker.outbound import smtp

#: How long after each failed attempt the next one comes: ten attempts in some three days.
PAUSES = (
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 10, 20, 24)),
)
#: An endpoint at which nothing has arrived for so long is told no more.
PATIENCE = timedelta(days=5)
KEPT = timedelta(days=30)
_LEASE = timedelta(seconds=60)
_GONE = 410
_LONGEST_WISH = timedelta(hours=24)
_MOST = 1_000
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    id: int
    attempt: int
    event_id: str
    body: str
    endpoint: WebhookSettings


class Postman:
    """Delivers what is due from so many lanes; to one endpoint from one, so that a slow one holds up none."""

    def __init__(self, lanes: int) -> None:
        self._lanes = threading.BoundedSemaphore(lanes)
        self._guard = threading.Lock()
        self._busy: set[str] = set()

    def deliver(self) -> None:
        """Delivers until nothing is due that no other lane is at; returns at once where all lanes work."""
        if not self._lanes.acquire(blocking=False):
            return
        try:
            while (job := self._claimed()) is not None:
                try:
                    _send(job)
                finally:
                    with self._guard:
                        self._busy.discard(job.endpoint.key)
        finally:
            self._lanes.release()

    def _claimed(self) -> _Job | None:
        with self._guard, db.unit_of_work() as session:
            job = _claim(session, self._busy)
            if job is not None:
                self._busy.add(job.endpoint.key)
        return job


def due(now: datetime) -> list[int]:
    """Some delivery of each endpoint that has one due, for the sweep to ring for."""
    with db.reading() as session:
        return list(
            session.scalars(
                select(WebhookDelivery.id)
                .where(WebhookDelivery.state == DeliveryState.WAITING, WebhookDelivery.due_at <= now)
                .order_by(WebhookDelivery.due_at)
                .limit(5)
            )
        )


def _claim(session: Session, busy: set[str]) -> _Job | None:
    now = clock.now()
    while True:
        row = session.scalars(
            select(WebhookDelivery)
            .where(
                WebhookDelivery.state == DeliveryState.WAITING,
                WebhookDelivery.due_at <= now,
                WebhookDelivery.endpoint.not_in(busy),
            )
            .order_by(WebhookDelivery.due_at, WebhookDelivery.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        try:
            endpoint = _endpoint(session, row.endpoint)
        except Invalid as error:
            row.state, row.result, row.ended_at = DeliveryState.DEAD, str(error), now
            session.flush()
            continue
        row.attempts += 1
        row.due_at = now + _LEASE
        return _Job(row.id, row.attempts, row.event_id, row.body, endpoint)


def _endpoint(session: Session, key: str) -> WebhookSettings:
    """Raises Invalid where it is not declared, disabled, or a secret of it cannot be opened."""
    row = session.get_one(WorkspaceRow, 1)
    stored = next((e for e in row.webhooks if e["key"] == key), None)
    if stored is None:
        raise Invalid("the endpoint is not declared any more")
    state = session.get(WebhookEndpoint, key)
    if state is not None and state.disabled_at is not None:
        raise Invalid("the endpoint is disabled")
    environment = secrets.opened_environment(row.environment)
    return WebhookSettings.model_validate(secrets.opened(stored, environment))


def _send(job: _Job) -> None:
    now = clock.now()
    name = f"{PREFIX}{job.event_id}"
    signed = [Webhook(secret).sign(name, now, job.body) for secret in job.endpoint.secrets]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Portaria",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }
    status, wish = 0, None
    try:
        answer = http.exchange("POST", job.endpoint.url, headers, content=job.body.encode())
        status, words = answer.status, f"answered {answer.status}"
        wish = _wish(answer.headers.get("retry-after", ""))
    except (NotSent, Retry, Permanent) as error:
        words = str(error)
    with db.unit_of_work() as session:
        alarm = _record(session, job, status, words[:500], wish)
        told = _admins(session) if alarm else []
    for address in told:
        _warn(address, job.endpoint, alarm)


def _wish(retry_after: str) -> timedelta | None:
    """How long it asks to be left alone, in seconds (RFC 9110 section 10.2.3); a date is not looked at."""
    return timedelta(seconds=int(retry_after[:9])) if retry_after.isdecimal() else None


def _record(session: Session, job: _Job, status: int, words: str, wish: timedelta | None) -> str:
    """What came of it; says why, where the endpoint is told no more from now on."""
    now = clock.now()
    row = session.get(WebhookDelivery, job.id, with_for_update=True)
    if row is None or row.attempts != job.attempt or row.state is not DeliveryState.WAITING:
        return ""  # it took longer than its lease, and another one has it
    row.result = words
    if 200 <= status < 300:
        row.state, row.ended_at = DeliveryState.DONE, now
        session.execute(
            update(WebhookEndpoint)
            .where(WebhookEndpoint.key == row.endpoint, WebhookEndpoint.failing_since.is_not(None))
            .values(failing_since=None)
        )
        return ""
    if row.attempts > len(PAUSES):
        row.state, row.ended_at = DeliveryState.DEAD, now
        log.warning("webhook.given_up", endpoint=row.endpoint, delivery=row.id, result=words)
    else:
        pause = PAUSES[row.attempts - 1]
        pause = max(pause * random.uniform(1, 1.1), min(wish or timedelta(), _LONGEST_WISH))  # noqa: S311
        row.due_at = now + pause
    return _failing(session, row.endpoint, status, now)


def _failing(session: Session, key: str, status: int, now: datetime) -> str:
    state = session.get(WebhookEndpoint, key, with_for_update=True)
    if state is None:
        state = WebhookEndpoint(key=key)
        session.add(state)
    state.failing_since = state.failing_since or now
    if state.disabled_at is not None:
        return ""
    if status == _GONE:
        state.reason = "it answered 410: it is gone for good"
    elif now - state.failing_since >= PATIENCE:
        state.reason = f"nothing has arrived there since {state.failing_since:%Y-%m-%d %H:%M} UTC"
    else:
        return ""
    state.disabled_at = now
    log.error("webhook.disabled", endpoint=key, reason=state.reason)
    return state.reason


def _admins(session: Session) -> list[str]:
    return list(session.scalars(select(User.email).where(User.role == Role.ADMIN, User.active)))


def _warn(address: str, endpoint: WebhookSettings, reason: str) -> None:
    text = (
        f"Portaria sends no more events to the webhook '{endpoint.key}' ({endpoint.url}):\n{reason}.\n\n"
        f"Once it is mended: portaria webhooks enable {endpoint.key}, then portaria webhooks replay "
        f"--endpoint {endpoint.key}.\n"
    )
    order = MailOrder(
        address, f"Webhook {endpoint.key} is disabled", text, f"webhook:{endpoint.key}:{clock.now():%Y%m%d}"
    )
    try:
        smtp.send(order, sender_name="Portaria")
    except PortariaError as error:
        log.warning("webhook.alarm_not_sent", endpoint=endpoint.key, error=str(error))


def forget() -> int:
    """Removes what was told long ago, the oldest first; says how much."""
    before = clock.now() - KEPT
    with db.unit_of_work() as session:
        events = session.execute(
            select(DomainEvent.id, DomainEvent.at).order_by(DomainEvent.id).limit(_MOST)
        ).all()
        deliveries = session.execute(
            select(WebhookDelivery.id, WebhookDelivery.created_at)
            .where(WebhookDelivery.state != DeliveryState.WAITING)
            .order_by(WebhookDelivery.id)
            .limit(_MOST)
        ).all()
        old = [row.id for row in events if row.at < before]
        over = [row.id for row in deliveries if row.created_at < before]
        session.execute(delete(DomainEvent).where(DomainEvent.id.in_(old)))
        session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(over)))
    return len(old) + len(over)
