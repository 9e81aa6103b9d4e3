"""What was put apart as no enquiry becomes a lead when a person says that it is one."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core import clock, db
from intake import journal
from intake.delivery import Delivery
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.source import Channel
from tests.factories import WORKSPACE, configure, source
from worker import executor

MAILBOX = "\nmailboxes: [{key: sales, host: imap.acme.test, username: u, password: p}]\n"
AUTOMATIC = b"From: Maria <maria@client.test>\r\nSubject: Form on our site\r\nMessage-ID: <1@x>\r\nAuto-Submitted: auto-generated\r\n\r\nPlease call me."
NOBODY = b"Subject: x\r\nMessage-ID: <2@x>\r\nAuto-Submitted: auto-generated\r\n\r\nNobody wrote this."


@pytest.fixture(autouse=True)
def configured(database: db.Database) -> None:
    configure(WORKSPACE + MAILBOX)


def arrive(body: bytes) -> str:
    with db.unit_of_work() as session:
        delivery = Delivery(body=body, content_type="message/rfc822", received_at=clock.now())
        entry = journal.Entry(source(session, "sales", Channel.EMAIL).id, "imap", "k", delivery)
        event_id = journal.append(session, [entry])[0].event_id
    executor.process_event(event_id)
    return event_id


def event(event_id: str) -> InboundEvent:
    with db.reading() as session:
        return session.get_one(InboundEvent, event_id)


def release(event_id: str) -> None:
    with db.unit_of_work() as session:
        journal.replay(session, session.get_one(InboundEvent, event_id))
    executor.process_event(event_id)


def test_a_released_mail_becomes_a_lead_once() -> None:
    event_id = arrive(AUTOMATIC)
    assert event(event_id).state is EventState.QUARANTINED
    assert "Auto-Submitted" in (event(event_id).error or "")
    release(event_id)
    assert (event(event_id).state, event(event_id).error) == (EventState.PROCESSED, None)
    with db.reading() as session:
        lead = session.scalars(select(Lead)).one()
        assert (lead.email, lead.title) == ("maria@client.test", "Form on our site")
    release(event_id)
    with db.reading() as session:
        assert len(session.scalars(select(Lead)).all()) == 1


def test_what_names_nobody_stays_apart_with_its_reason() -> None:
    event_id = arrive(NOBODY)
    release(event_id)
    assert event(event_id).state is EventState.QUARANTINED
