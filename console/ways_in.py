"""The ways in: what is wrong with them, how each mailbox stands, when each source brought something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console import auth
from core import db
from intake import subscriptions
from intake.mailbox import desk, report
from models.alert import Alert, SourceHour
from models.source import Channel, Source
from models.user import Role

_MOST_OVER = 20


@dataclass(frozen=True, slots=True)
class Way:
    """A source, the hour of its last delivery, and how many it had in the weeks that are counted."""

    source: Source
    last: datetime | None
    deliveries: int
    subscription: subscriptions.Standing | None


def ways_in() -> ResponseReturnValue:
    """Alerts, mailboxes, and the other ways in."""
    with db.reading() as session:
        alerts = session.scalars(
            select(Alert).where(Alert.ended_at.is_(None)).order_by(Alert.began_at, Alert.id)
        ).all()
        over = session.scalars(
            select(Alert).where(Alert.ended_at.is_not(None)).order_by(Alert.id.desc()).limit(_MOST_OVER)
        ).all()
        mailboxes = report.of_all(session)
        ways = _ways(session)
    return render_template(
        "console/ways_in.html", alerts=alerts, over=over, mailboxes=mailboxes, ways=ways, may=_may_ask()
    )


def reconcile(key: str) -> ResponseReturnValue:
    """Asks for the mailbox to be compared with the journal."""
    if not _may_ask():
        abort(403, "Mailboxes are looked after by managers and administrators.")
    with db.unit_of_work() as session:
        desk.ask_reconciliation(session, report.of_one(session, key)[0])
    return redirect(url_for("console.ways_in", _anchor=key), 303)


def retry(key: str) -> ResponseReturnValue:
    """Lets a stopped mailbox sign in again."""
    if not _may_ask():
        abort(403, "Mailboxes are looked after by managers and administrators.")
    with db.unit_of_work() as session:
        desk.wake(session, report.of_one(session, key)[0])
    return redirect(url_for("console.ways_in", _anchor=key), 303)


def _ways(session: Session) -> list[Way]:
    counted = {
        row.source_id: (row.last, row.total)
        for row in session.execute(
            select(
                SourceHour.source_id,
                func.max(SourceHour.hour).label("last"),
                func.sum(SourceHour.deliveries).label("total"),
            ).group_by(SourceHour.source_id)
        )
    }
    chosen = select(Source).where(Source.active, Source.channel.in_((Channel.FORM, Channel.CALL)))
    found = session.scalars(chosen.order_by(Source.channel, Source.name)).all()
    return [
        Way(source, *counted.get(source.id, (None, 0)), subscriptions.standing(session, source))
        for source in found
    ]


def _may_ask() -> bool:
    return auth.current_user().role in (Role.ADMIN, Role.MANAGER)
