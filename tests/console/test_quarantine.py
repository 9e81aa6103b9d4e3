"""The quarantine, the forms' snippets, and what came with an enquiry."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from sqlalchemy import event, select

from core import clock, db, storage
from core.ids import new_id
from intake.held import told
from models.attachment import Attachment
from models.consent import ConsentGiven
from models.inbound import EventState, InboundEvent
from models.source import Channel, Source
from models.user import Role, User
from tests.console import seed
from tests.console.conftest import token
from tests.factories import submission


def hold(database: db.Database, body: bytes, adapter: str = "form") -> str:
    event_id = new_id()
    with database.unit_of_work() as session:
        source = session.scalars(select(Source).where(Source.channel == Channel.FORM)).first()
        assert source is not None
        session.add(
            InboundEvent(
                id=event_id,
                source_id=source.id,
                adapter=adapter,
                dedupe_key=event_id,
                state=EventState.QUARANTINED,
                received_at=clock.now(),
                retry_at=clock.now(),
                error="7 links in it",
                content_type="application/x-www-form-urlencoded",
                envelope={"method": "POST", "url": "", "headers": {}, "remote_address": "", "facts": {}},
                body=body,
            )
        )
    return event_id


def test_what_is_held_back_is_shown_with_its_reason_and_released_by_a_click(
    ana: FlaskClient, database: db.Database
) -> None:
    event_id = hold(database, b"name=<b>Eve&email=eve%40client.test&message=<script>alert(1)</script>")
    page = ana.get("/quarantine")
    assert "&lt;b&gt;Eve" in page.text
    assert "7 links in it" in page.text
    assert "<script>alert" not in page.text
    assert ana.post(f"/quarantine/{event_id}").status_code == 400  # without the page's own mark
    answer = ana.post(f"/quarantine/{event_id}", data={"csrf_token": token(page)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/quarantine")
    with database.reading() as session:
        assert session.get_one(InboundEvent, event_id).state is EventState.RECEIVED
    assert "Nothing is held back" in ana.get("/quarantine").text
    assert ana.post(f"/quarantine/{new_id()}", data={"csrf_token": token(page)}).status_code == 404


def test_what_cannot_be_read_does_not_hide_the_others(ana: FlaskClient, database: db.Database) -> None:
    hold(database, b"email=eve%40client.test")
    hold(database, b"{", adapter="tally")
    page = ana.get("/quarantine").text
    assert "eve@client.test" in page
    assert "It cannot be told in short" in page
    with database.unit_of_work() as session:
        source = session.scalars(select(Source).where(Source.channel == Channel.FORM)).one()
        source.settings = {"key": "contact", "of_another_release": True}
    assert ana.get("/quarantine").status_code == 200


def test_who_may_only_read_releases_nothing(ana: FlaskClient, database: db.Database) -> None:
    event_id = hold(database, b"email=eve%40client.test")
    with database.unit_of_work() as session:
        session.scalars(select(User).where(User.email == "ana@acme.test")).one().role = Role.READ_ONLY
    page = ana.get("/quarantine")
    assert "Make it a lead" not in page.text
    assert ana.post(f"/quarantine/{event_id}", data={"csrf_token": token(page)}).status_code == 403


def test_the_forms_page_has_the_snippet(ana: FlaskClient) -> None:
    page = ana.get("/forms").text
    assert "/widget.js&#34; async&gt;&lt;/script&gt;" in page
    assert "/meta-lead-ads" in page


def test_a_lead_s_files_and_consents_are_shown(ana: FlaskClient, database: db.Database) -> None:
    storage.put("enquiries/x/0", b"%PDF")
    with database.unit_of_work() as session:
        lead_id = seed.lead(session, name="Eve").id
        for position, (name, place, refused) in enumerate(
            [("cv<b>.pdf", "enquiries/x/0", ""), ("virus.exe", "", "files of this kind are not taken")]
        ):
            session.add(
                Attachment(
                    lead_id=lead_id,
                    event_id=new_id(),
                    position=position,
                    name=name,
                    kind="application/pdf",
                    size=4,
                    digest="0" * 64,
                    place=place,
                    refused=refused,
                    created_at=clock.now(),
                )
            )
        session.add(
            ConsentGiven(
                lead_id=lead_id,
                event_id=None,
                source="contact",
                field="news",
                text="You may write to me",
                version="3",
                given=True,
                at=clock.now(),
                address="127.0.0.1",
                page="",
            )
        )
    page = ana.get(f"/leads/{lead_id}").text
    assert 'href="/attachments/1">cv&lt;b&gt;.pdf' in page
    assert "not kept: files of this kind are not taken" in page
    assert "Agreed: You may write to me" in page
    answer = ana.get("/attachments/1")
    assert answer.data == b"%PDF"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert ana.get("/attachments/2").status_code == 404


def test_a_list_of_large_mails_is_made_without_reading_them(ana: FlaskClient, database: db.Database) -> None:
    for n in range(51):
        event_id = hold(database, b"x" * 100_000, adapter="imap")
        if n:
            with database.unit_of_work() as session:
                row = session.get_one(InboundEvent, event_id)
                summary = told(submission(name=f"Eve {n}", message="<b>" + "y" * 5000, title="Buy"))
                row.envelope = {**row.envelope, "facts": {"held": summary}}
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        page = ana.get("/quarantine").text
        older = re.search(r'href="(/quarantine\?before=[^"]+)"', page)
        assert older
        last = ana.get(older[1]).text
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    assert "Eve 50" in page
    assert "Eve 1<" in page
    assert len(page) < 50 * 6000
    assert "It cannot be told in short" in last  # an older release kept it apart, and it is large
    assert not any(
        "inbound_events.body" in s.split("FROM")[0].replace("length(inbound_events.body)", "") for s in asked
    )
    assert ana.get("/quarantine?before=nonsense").status_code == 404
