"""Raises an alert for what is not as it should be, tells managers once, and ends it when that is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Permanent, Retry
from core.logs import logger
from core.settings import settings
from crm import workspace
from intake.mailbox import report
from models.alert import Alert
from models.source import Channel, Source
from models.user import Role, User
from rules.order import MailOrder
from worker import silence
from worker.outbound import smtp

#: So long a mailbox's trouble may pass by itself before somebody is told.
_PATIENCE = timedelta(minutes=15)
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, now."""

    kind: str
    source_id: int
    words: str
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Of findings with one key, one alert is open at a time."""
        return f"{self.kind}:{self.source_id}"


def look() -> int:
    """Compares what is to be found with the alerts that are open; says how many are open then."""
    silence.count()
    with db.unit_of_work() as session:
        found = {f.key: f for f in [*_silences(session), *_mailboxes(session)]}
        now = clock.now()
        for alert in session.scalars(select(Alert).where(Alert.open_key.is_not(None)).with_for_update()):
            finding = found.pop(alert.open_key or "", None)
            if finding is None:
                alert.ended_at, alert.open_key = now, None
                log.info("alert.ended", kind=alert.kind, source_id=alert.source_id)
            else:
                alert.words, alert.numbers = finding.words, finding.numbers
        for finding in found.values():
            session.add(
                Alert(
                    kind=finding.kind,
                    source_id=finding.source_id,
                    words=finding.words,
                    numbers=finding.numbers,
                    began_at=now,
                    open_key=finding.key,
                )
            )
            log.warning("alert.raised", kind=finding.kind, source_id=finding.source_id, words=finding.words)
    return tell()


def tell() -> int:
    """Mails managers about open alerts that they were not told of; says how many are open."""
    with db.reading() as session:
        alerts = session.scalars(select(Alert).where(Alert.open_key.is_not(None))).all()
        chosen = select(User.email).where(User.active, User.role.in_((Role.ADMIN, Role.MANAGER)))
        managers = session.scalars(chosen.order_by(User.id)).all()
        name = workspace.load(session).name
    for alert in alerts:
        if alert.told_at is None and _told(alert, managers, name):
            with db.unit_of_work() as session:
                session.get_one(Alert, alert.id).told_at = clock.now()
    return len(alerts)


def _told(alert: Alert, managers: Any, name: str) -> bool:
    """Whether all were told, or cannot be; who was told already knows a second copy by its Message-ID."""
    told = True
    for to in managers:
        text = f"{alert.words}\n\n{settings().address}/ways-in\n"
        order = MailOrder(to=to, subject=alert.words[:150], text=text, message_id=f"alert:{alert.id}:{to}")
        try:
            smtp.send(order, sender_name=name)
        except Retry as error:
            told = False
            log.warning("alert.not_told", alert_id=alert.id, error=str(error))
        except Permanent as error:
            log.warning("alert.cannot_be_told", alert_id=alert.id, error=str(error))
    return told


def _silences(session: Session) -> Iterator[Finding]:
    for source, found in silence.quiet(session):
        words = (
            f"{source.name} ({source.channel.value}) is quiet: nothing for {_hours(found.hours)}, "
            f"when {found.expected:.0f} are usual; "
            f"{found.a_week:.0f} a week over the last {found.weeks:.0f} weeks"
        )
        yield Finding("silence", source.id, words, found.numbers())


def _mailboxes(session: Session) -> Iterator[Finding]:
    now = clock.now()
    chosen = select(Source).where(Source.channel == Channel.EMAIL, Source.active)
    ids = {source.key: source.id for source in session.scalars(chosen)}
    for one in report.of_all(session):
        subject = f"The mailbox {one.name}"
        source_id = ids[one.key]
        if one.state == "stopped":
            yield Finding("mailbox_stopped", source_id, f"{subject} is not watched any more: {one.error}")
        elif one.state == "unwatched" and one.seen_at is not None:
            yield Finding(
                "mailbox_unwatched", source_id, f"{subject} is watched by nobody: it was {one.trouble}"
            )
        elif one.state == "interrupted" and one.since is not None and now - one.since > _PATIENCE:
            minutes = round((now - one.since) / timedelta(minutes=1))
            words = f"{subject} cannot be read for {minutes} minutes: {one.error}"
            yield Finding("mailbox_interrupted", source_id, words, {"minutes": minutes})
        if one.token_expires_at is not None and one.token_expires_at - now < report.WARN:
            days = max((one.token_expires_at - now).days, 0)
            words = f"{subject} can sign in for {days} more days: renew its grant"
            yield Finding("token_expires", source_id, words, {"days": days})


def _hours(hours: float) -> str:
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
