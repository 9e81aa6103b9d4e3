"""A service with forms of every kind, and whatever was journalled processed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from core.settings import settings
from intake import rates
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from tests.factories import WORKSPACE, configure
from tests.web import application
from worker import executor

FORMS = """  - {key: open}
  - key: full
    redirect: https://www.acme.test/thanks
    allowed_redirects: [www.acme.test]
    allowed_origins: [https://www.acme.test]
    fields:
      - {name: name, label: {en: Your name, pt: O seu nome}, required: true}
      - {name: email, type: email, required: true}
      - {name: code, pattern: "[A-Z]{2}-[0-9]+", message: {en: Two letters and a number, de: Zwei Buchstaben}}
      - {name: topics, type: multiselect, choices: [Prices, Training]}
      - {name: cv, type: file, accept: [pdf, image/*], max_bytes: 2000}
      - {name: news, type: consent, label: You may write to me, version: "3"}
      - {name: terms, type: consent, label: I have read the terms, required: true}
      - {name: note, target: extra}
  - {key: guarded, protection: {per_address: 3 per hour, same_text: 2, min_seconds: 3}}
  - {key: puzzle, protection: {captcha: {kind: altcha, difficulty: 1000}}}
  - {key: careful, protection: {confirm_email: true}}
  - {key: gate, protection: {captcha: {kind: turnstile, site_key: k, secret: s}}}
"""
SCRIPT = {"Accept": "application/json"}


@pytest.fixture
def client(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "https://in.acme.test")
    settings.cache_clear()
    rates.forget()
    configure(WORKSPACE.replace("  - {key: open}\n", FORMS))
    with application() as app:
        yield app.test_client()


@pytest.fixture
def process(database: db.Database) -> Callable[[], list[tuple[EventState, str | None]]]:
    """Takes all that waits through the house; says how each event ended, oldest first."""

    def work() -> list[tuple[EventState, str | None]]:
        with database.reading() as session:
            chosen = (
                select(InboundEvent.id)
                .where(InboundEvent.state == EventState.RECEIVED)
                .order_by(InboundEvent.id)
            )
            ids = session.scalars(chosen.order_by(InboundEvent.id)).all()
        for event_id in ids:
            executor.process_event(event_id)
        with database.reading() as session:
            rows = session.execute(
                select(InboundEvent.state, InboundEvent.error).order_by(InboundEvent.id)
            ).all()
        return [(row.state, row.error) for row in rows]

    return work


@pytest.fixture
def leads(database: db.Database) -> Callable[[], list[Lead]]:
    def find() -> list[Lead]:
        with database.reading() as session:
            return list(session.scalars(select(Lead).order_by(Lead.id)))

    return find
