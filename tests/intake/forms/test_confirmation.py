"""Double opt-in: the enquiry waits until its sender has confirmed, and nothing of it is lost meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db
from core.errors import Permanent, Retry
from core.settings import settings
from intake import confirmation, journal
from intake.forms.spam import HONEYPOT
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.timeline import TimelineEntry
from rules.order import MailOrder
from worker.outbound import smtp

Process = Callable[[], list[tuple[EventState, str | None]]]
Leads = Callable[[], list[Lead]]
WAITS = [(EventState.QUARANTINED, "waits until ana@client.test confirms the address")]


def post(client: FlaskClient, **fields: str) -> str:
    answer = client.post(
        "/in/forms/careful",
        json={"name": "Ana", "email": "ana@client.test", "message": "Olá"} | fields,
        headers={"Accept": "application/json", "Accept-Language": "pt-PT,en;q=0.5"},
    )
    assert answer.status_code == 202
    return str(answer.json["event_id"])  # type: ignore[index]


def path(event_id: str) -> str:
    return confirmation.link("careful", event_id).removeprefix(settings().address)


def outbox() -> list[str]:
    files = sorted((settings().data_dir / "outbox").glob("*.eml"))
    return [message_from_bytes(f.read_bytes(), policy=policy.default).as_string() for f in files]


def test_the_sender_confirms_and_only_then_there_is_a_lead(
    client: FlaskClient, process: Process, leads: Leads
) -> None:
    event_id = post(client)
    assert process() == WAITS
    assert leads() == []
    (file,) = (settings().data_dir / "outbox").glob("*.eml")
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    body = mail.get_body()
    assert body is not None
    assert (mail["To"], mail["Subject"]) == ("ana@client.test", "Confirme o seu pedido")
    assert confirmation.link("careful", event_id) in body.get_content()

    assert client.get(path(event_id)).status_code == 200
    assert process() == WAITS  # whoever follows every link in a mail has confirmed nothing

    for _ in "12":
        assert client.post(path(event_id)).status_code == 200
        assert process() == [(EventState.PROCESSED, None)]
    (lead,) = leads()
    assert lead.email == "ana@client.test"
    assert len(outbox()) == 1


def test_when_and_from_where_it_was_confirmed_is_kept(
    client: FlaskClient, process: Process, database: db.Database
) -> None:
    event_id = post(client)
    process()
    client.post(path(event_id), environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
    process()
    with database.reading() as session:
        event = session.get_one(InboundEvent, event_id)
        told = event.envelope["facts"][confirmation.CONFIRMED]
        submissions = [e.data for e in session.scalars(select(TimelineEntry)) if e.kind == "submission"]
    assert told.endswith(" from 203.0.113.9")
    assert [data["extra"]["email_confirmed"] for data in submissions] == [told]


@pytest.mark.parametrize("wrong", ["0" * 40, "é" * 40, "x"])
def test_nobody_confirms_for_somebody_else(client: FlaskClient, process: Process, wrong: str) -> None:
    event_id = post(client)
    process()
    other = post(client, email="bob@client.test")
    process()
    start = path(event_id).rpartition("/")[0]
    stolen = path(other).rpartition("/")[2]
    for token in (wrong, stolen):
        assert client.get(f"{start}/{token}").status_code == 404
        assert client.post(f"{start}/{token}").status_code == 404
    assert client.post(path(event_id).replace("careful", "open")).status_code == 404
    assert {state for state, _ in process()} == {EventState.QUARANTINED}


def test_a_link_is_good_for_a_week(
    client: FlaskClient, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = post(client)
    process()
    later = clock.now() + confirmation.LONGEST + timedelta(minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert client.post(path(event_id)).status_code == 410


def test_spam_and_enquiries_without_an_address_get_no_mail(client: FlaskClient, process: Process) -> None:
    post(client, **{HONEYPOT: "x"})
    post(client, email="")
    assert [words for _, words in process()] == [
        f"the hidden field '{HONEYPOT}' was filled in",
        "it names no e-mail address that could be confirmed",
    ]
    assert outbox() == []


def test_nobodys_mailbox_is_flooded_through_us(client: FlaskClient, process: Process) -> None:
    for text in "abcde":  # the same mailbox, whatever its case
        post(client, message=text, email=("Ana" if text == "b" else "ana") + "@client.test")
    assert [words for _, words in process()][-2:] == [
        "ana@client.test was asked to confirm more than 3 per 1 day"
    ] * 2
    assert len(outbox()) == 3


def test_a_mail_server_that_is_away_is_tried_again_and_one_that_refuses_leaves_the_enquiry_to_a_person(
    client: FlaskClient,
    process: Process,
    leads: Leads,
    database: db.Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[Exception] = [Retry("away"), Permanent("550 no such user")]

    def refuse(order: MailOrder, *, sender_name: str) -> str:
        raise failures.pop(0)

    monkeypatch.setattr(smtp, "send", refuse)
    event_id = post(client)
    assert process() == [(EventState.RECEIVED, "away")]
    now = clock.now() + timedelta(minutes=1)
    monkeypatch.setattr(clock, "now", lambda: now)
    words = "ana@client.test could not be asked to confirm: 550 no such user"
    assert process() == [(EventState.QUARANTINED, words)]
    with database.unit_of_work() as session:
        journal.replay(session, session.scalars(select(InboundEvent).filter_by(id=event_id)).one())
    assert process() == [(EventState.PROCESSED, None)]
    assert len(leads()) == 1


def test_the_thank_you_page_says_that_a_mail_is_on_its_way(client: FlaskClient) -> None:
    said = client.get("/in/forms/careful/thanks?lang=en").text
    assert "Please confirm it with the link" in said
    assert "Please confirm it with the link" not in client.get("/in/forms/open/thanks?lang=en").text
