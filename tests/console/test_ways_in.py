"""The ways in: alerts, how each mailbox stands, and what a manager may ask for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db, settings
from intake.mailbox import desk
from models.alert import Alert, SourceHour
from models.line_subscription import LineSubscription
from models.mailbox import MailboxPosition, WatchedMailbox
from models.source import Channel, Source
from models.user import Role, User
from tests.console.conftest import token


@pytest.fixture
def sales(database: db.Database, people: dict[str, int]) -> int:
    """A mailbox that is watched, with a comparison that found something."""
    with database.unit_of_work() as session:
        source = session.scalars(select(Source).where(Source.channel == Channel.EMAIL)).one()
        source.key, source.name = "sales", "Sales <b>"
        desk.note(session, source.id, desk.WATCHING)
        row = session.get_one(WatchedMailbox, source.id)
        row.token_expires_at = clock.now() + timedelta(days=5)
        session.add(
            MailboxPosition(
                source_id=source.id,
                folder="INBOX",
                last_uid=9,
                state="watching",
                reconciled_at=clock.now() - timedelta(hours=1),
                reconciliation={"on_server": 9, "journalled": 7, "older": 2, "missed": 3, "failed": 0},
            )
        )
        return source.id


def test_how_a_mailbox_stands_in_words(ana: FlaskClient, sales: int) -> None:
    page = ana.get("/ways-in").text
    assert "Sales &lt;b&gt;" in page
    assert "Watched since" in page
    assert "3 had been missed and came in now" in page
    assert "9 on the server, 7 in the journal, 2 from before it was connected" in page
    assert "renew it before" in page
    assert "Compare with the server" not in page  # she is an agent


def test_a_manager_asks_for_a_comparison_and_another_try(
    ana: FlaskClient, database: db.Database, sales: int
) -> None:
    with database.unit_of_work() as session:
        session.scalars(select(User).where(User.email == "ana@acme.test")).one().role = Role.MANAGER
        desk.note(session, sales, desk.STOPPED, "sign-in refused: no")
    page = ana.get("/ways-in")
    assert "sign-in refused: no" in page.text
    for path in ("reconcile", "retry"):
        assert ana.post(f"/mailboxes/sales/{path}").status_code == 400  # without the page's own mark
        answer = ana.post(f"/mailboxes/sales/{path}", data={"csrf_token": token(page)})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/ways-in#sales")
        assert ana.post(f"/mailboxes/none/{path}", data={"csrf_token": token(page)}).status_code == 404
    with database.reading() as session:
        row = session.get_one(WatchedMailbox, sales)
        assert (row.reconcile_asked_at, row.wake_asked_at) == (clock.now(), clock.now())
    assert "asked for" in ana.get("/ways-in").text


def test_an_agent_may_not_ask(ana: FlaskClient, sales: int) -> None:
    mark = token(ana.get("/ways-in"))
    assert ana.post("/mailboxes/sales/reconcile", data={"csrf_token": mark}).status_code == 403
    assert ana.post("/mailboxes/sales/retry", data={"csrf_token": mark}).status_code == 403


def test_alerts_stand_at_the_top_and_what_is_over_at_the_end(
    ana: FlaskClient, database: db.Database, sales: int
) -> None:
    with database.unit_of_work() as session:
        form = session.scalars(select(Source).where(Source.channel == Channel.FORM)).first()
        assert form is not None
        session.add(SourceHour(source_id=form.id, hour=clock.now(), deliveries=12))
        for words, ended, chance in (
            ("Contact is quiet: nothing for 3.0 days", None, 0.0001),
            ("Another is quiet, for a year", None, 0.0),
            ("An old one", clock.now(), 0.0001),
        ):
            session.add(
                Alert(
                    kind="silence",
                    source_id=form.id,
                    words=words,
                    numbers={"chance": chance},
                    began_at=clock.now(),
                    ended_at=ended,
                )
            )
    page = ana.get("/ways-in").text
    assert "by chance once in 10000 times" in page
    assert "by chance less than once in a million times" in page
    assert page.index("Contact is quiet") < page.index("Sales &lt;b&gt;") < page.index("An old one")
    assert "12 in the last weeks" in page


def test_without_mailboxes_the_page_says_how_to_have_one(ana: FlaskClient, database: db.Database) -> None:
    with database.unit_of_work() as session:
        session.scalars(select(Source).where(Source.channel == Channel.EMAIL)).one().active = False
    assert "There are no mailboxes" in ana.get("/ways-in").text


def test_a_subscription_that_ends_says_what_went_wrong(
    ana: FlaskClient, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.unit_of_work() as session:
        says = {"key": "rc", "provider": "ringcentral", "verification_token": "t"}
        line = Source(channel=Channel.CALL, key="rc", name="RC", settings=says)
        session.add(line)
        session.flush()
        line_id = line.id
    assert "not looked after, and it ends by itself: it has no `client_id`" in ana.get("/ways-in").text
    with database.unit_of_work() as session:
        app = {"client_id": "app", "client_secret": "s", "jwt": "j"}
        session.get_one(Source, line_id).settings = says | app
        session.add(LineSubscription(source_id=line_id, error="the provider answered <500>"))
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "https://in.acme.test")
    settings.settings.cache_clear()
    assert "could not be renewed: the provider answered &lt;500&gt;" in ana.get("/ways-in").text
