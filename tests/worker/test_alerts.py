"""Alerts: raised once, told once, with numbers, and over by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db, ids
from intake import journal
from intake.delivery import Delivery
from intake.mailbox import desk
from models.alert import Alert, SourceHour
from models.mailbox import WatchedMailbox
from models.source import Channel, Source
from rules.order import MailOrder
from tests.factories import configure, source
from worker import alerts, silence

NOW = datetime(2026, 11, 23, 20, 30, tzinfo=UTC)  # a Monday, 17:30 in São Paulo
BOX = "  - {key: sales, name: Sales, host: imap.acme.test, username: sales@acme.test, password: x}\n"


@pytest.fixture
def sent(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[MailOrder]]:
    mails: list[MailOrder] = []
    monkeypatch.setattr(alerts.smtp, "send", lambda order, **_: mails.append(order))
    configure(mailboxes=BOX)
    with clock.frozen(NOW):
        yield mails


def history(session: Session, found: Source, a_day: int = 27) -> None:
    """Six weeks of working days, until last Friday."""
    for day in range(1, 43):
        begin = datetime(2026, 11, 23, 12, tzinfo=UTC) - timedelta(days=day)
        if begin.weekday() < 5:
            for hour in range(9):
                session.add(
                    SourceHour(source_id=found.id, hour=begin + timedelta(hours=hour), deliveries=a_day // 9)
                )


def open_alerts() -> list[Alert]:
    with db.reading() as session:
        return list(session.scalars(select(Alert).where(Alert.ended_at.is_(None)).order_by(Alert.kind)))


def deliver(found: Source) -> None:
    delivery = Delivery(body=b"{}", content_type="application/json", received_at=clock.now())
    with db.unit_of_work() as session:
        journal.append(session, [journal.Entry(found.id, "form", ids.new_id(), delivery)])


def test_a_form_that_is_quiet_is_told_once_with_the_numbers_and_is_over_when_something_comes(
    sent: list[MailOrder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ids, "uuid7", lambda: ids.UUID(int=ids.UUID(ids.first_id(clock.now())).int + len(sent))
    )
    with db.unit_of_work() as session:
        form = source(session, "contact")
        history(session, form)
    with clock.frozen(NOW - timedelta(hours=8)):  # half past nine
        alerts.look()
    assert open_alerts() == []
    assert alerts.look() == alerts.look() == 1
    (alert,) = open_alerts()
    assert (alert.kind, alert.source_id) == ("silence", form.id)
    assert alert.numbers["expected"] > 20
    assert alert.numbers["usual_a_week"] > 100
    assert "contact (form) is quiet: nothing for 3.0 days, when 2" in alert.words
    assert [order.to for order in sent] == ["clara@acme.test"]
    assert "ways-in" in sent[0].text
    deliver(form)
    with clock.frozen(NOW + timedelta(minutes=5)):
        assert alerts.look() == 0
    with db.reading() as session:
        assert session.get_one(Alert, alert.id).ended_at is not None
    assert len(sent) == 1


def test_a_stopped_mailbox_and_a_grant_that_ends_are_told_and_over(sent: list[MailOrder]) -> None:
    with db.unit_of_work() as session:
        source_id = source(session, "sales", Channel.EMAIL).id
        desk.note(session, source_id, desk.STOPPED, "sign-in refused: no")
        session.get_one(WatchedMailbox, source_id).token_expires_at = NOW + timedelta(days=3)
    assert alerts.look() == 2
    assert [a.kind for a in open_alerts()] == ["mailbox_stopped", "token_expires"]
    assert {order.subject for order in sent} == {
        "The mailbox Sales is not watched any more: sign-in refused: no",
        "The mailbox Sales can sign in for 3 more days: renew its grant",
    }
    with db.unit_of_work() as session:
        desk.note(session, source_id, desk.WATCHING)
        session.get_one(WatchedMailbox, source_id).token_expires_at = None
    assert alerts.look() == 0


def test_a_trouble_that_passes_soon_is_nobody_s_business(sent: list[MailOrder]) -> None:
    with db.unit_of_work() as session:
        source_id = source(session, "sales", Channel.EMAIL).id
        desk.note(session, source_id, desk.INTERRUPTED, "connection refused")
    assert alerts.look() == 0
    with clock.frozen(NOW + timedelta(minutes=20)):
        with db.unit_of_work() as session:
            desk.note(session, source_id, desk.INTERRUPTED, "connection refused")
        assert alerts.look() == 1
    with clock.frozen(NOW + timedelta(minutes=40)):  # nobody says anything any more
        assert alerts.look() == 1
    assert [a.kind for a in open_alerts()] == ["mailbox_unwatched"]


def test_what_could_not_be_mailed_is_mailed_later(
    sent: list[MailOrder], monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.unit_of_work() as session:
        desk.note(session, source(session, "sales", Channel.EMAIL).id, desk.STOPPED, "no")

    def away(*_: object, **__: object) -> None:
        raise alerts.Retry("away")

    with monkeypatch.context() as patched:
        patched.setattr(alerts.smtp, "send", away)
        alerts.look()
    assert open_alerts()[0].told_at is None
    alerts.look()
    assert open_alerts()[0].told_at is not None
    assert len(sent) == 1


def test_hours_are_counted_from_the_journal_and_only_once(database: db.Database) -> None:
    configure()
    with db.reading() as session:
        form = source(session, "contact")
    for _ in range(3):
        deliver(form)
    for _ in range(2):
        silence.count()
    deliver(form)
    silence.count()
    with db.reading() as session:
        assert sum(row.deliveries for row in session.scalars(select(SourceHour))) == 4
