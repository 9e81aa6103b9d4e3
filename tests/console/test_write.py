"""Writing to a lead's person from its page."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db, storage
from crm import reachability
from models.attachment import Attachment
from models.lead import Lead
from models.message import Direction, Message, MessageState
from models.user import Role, User
from models.workspace import Template
from tests.console import seed
from tests.console.conftest import token

FORM = {"to": "maria@client.test", "subject": "Your offer", "text": "Here it is.", "do": "send"}


@pytest.fixture
def lead_id(ana: FlaskClient, database: db.Database) -> int:
    with database.unit_of_work() as session:
        session.add(
            Template(
                key="offer",
                settings={
                    "key": "offer",
                    "name": "An offer",
                    "subject": "Offer for {{ lead.name }}",
                    "text": "Dear {{ lead.name }}",
                    "html": "<p>Dear <b>{{ lead.name }}</b></p>",
                    "languages": {"pt": {"subject": "Proposta", "text": "Cara {{ lead.name }}"}},
                },
            )
        )
        found = seed.lead(session, name="Maria <b>Souza</b>", email="maria@client.test")
        return found.id


def messages(database: db.Database) -> list[Message]:
    with database.reading() as session:
        return list(session.scalars(select(Message).order_by(Message.id)))


def test_a_mail_is_written_looked_at_and_sent_once(
    ana: FlaskClient, database: db.Database, lead_id: int
) -> None:
    assert f"/leads/{lead_id}/write" in ana.get(f"/leads/{lead_id}").text
    page = ana.get(f"/leads/{lead_id}/write")
    assert 'value="maria@client.test"' in page.text
    sent = {**FORM, "csrf_token": token(page), "key": "0192f0c1-2345-7000-8000-0123456789ab"}
    shown = ana.post(f"/leads/{lead_id}/write", data={**sent, "do": "preview"})
    assert "Here it is." in shown.text
    assert messages(database) == []
    for _ in range(2):
        answer = ana.post(f"/leads/{lead_id}/write", data=sent)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/leads/{lead_id}#timeline")
    (message,) = messages(database)
    assert (message.state, message.subject, message.from_name) == (
        MessageState.QUEUED,
        "Your offer",
        "Ana Lima",
    )
    assert ana.post(f"/leads/{lead_id}/write", data=FORM).status_code == 400  # without the page's own mark


def test_a_template_is_filled_in_and_its_html_goes_along_as_long_as_it_says_the_same(
    ana: FlaskClient, database: db.Database, lead_id: int
) -> None:
    mark = {"csrf_token": token(ana.get(f"/leads/{lead_id}/write"))}
    filled = ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark, "template": "offer", "do": "fill"})
    assert "Dear Maria &lt;b&gt;Souza" in filled.text
    said = {**FORM, **mark, "template": "offer", "text": "Dear Maria <b>Souza</b>"}
    ana.post(f"/leads/{lead_id}/write", data=said)
    ana.post(f"/leads/{lead_id}/write", data={**said, "text": "Dear Maria, well"})
    first, second = messages(database)
    assert first.html == "<p>Dear <b>Maria &lt;b&gt;Souza&lt;/b&gt;</b></p>"
    assert second.html == ""
    portuguese = {**FORM, **mark, "template": "offer", "language": "pt", "do": "fill"}
    assert "Cara Maria" in ana.post(f"/leads/{lead_id}/write", data=portuguese).text
    gone = ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark, "template": "nothing", "do": "fill"})
    assert (gone.status_code, "no template" in gone.text) == (422, True)


def test_files_go_along_and_mistakes_are_told(ana: FlaskClient, database: db.Database, lead_id: int) -> None:
    mark = {"csrf_token": token(ana.get(f"/leads/{lead_id}/write"))}
    upload = (io.BytesIO(b"%PDF-1.7 offer"), "..\\../a b.pdf")
    ana.post(
        f"/leads/{lead_id}/write", data={**FORM, **mark, "files": upload}, content_type="multipart/form-data"
    )
    with database.reading() as session:
        (file,) = session.scalars(select(Attachment)).all()
        (message,) = session.scalars(select(Message)).all()
    assert (file.event_id, file.size, file.kind) == (message.files_id, 14, "application/pdf")
    assert not set(file.name) & set("/\\\r\n")
    assert storage.get(file.place) == b"%PDF-1.7 offer"
    for change, words in (
        ({"to": "nobody"}, "is no e-mail address"),
        ({"to": "a@b.test\nBcc: c@d.test"}, "is no e-mail address"),
        ({"cc": "x"}, "is no e-mail address"),
        ({"subject": ""}, "is empty"),
        ({"text": " "}, "is empty"),
        ({"mailbox": "nowhere"}, ""),
    ):
        refused = ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark, **change})
        assert (refused.status_code, words in refused.text) == (422, True), change
    assert len(messages(database)) == 1


def test_an_answer_goes_to_who_wrote(ana: FlaskClient, database: db.Database, lead_id: int) -> None:
    with database.unit_of_work() as session:
        came = Message(
            direction=Direction.IN, state=MessageState.RECEIVED, effect_key="e", message_id="<q@client.test>",
            thread="t", from_address="office@client.test", from_name="<i>Office</i>", subject="Chairs",
            text="How <script>many</script>?", lead_id=lead_id, created_at=clock.now(),
        )  # fmt: skip
        session.add(came)
        session.flush()
        came_id = came.id
        other = seed.lead(session, name="Other", email="other@client.test")
        other_id = other.id
    page = ana.get(f"/leads/{lead_id}/write?answers={came_id}")
    assert 'value="office@client.test"' in page.text
    assert 'value="Re: Chairs"' in page.text
    assert "<script>many" not in page.text
    assert 'value="office@client.test"' not in ana.get(f"/leads/{other_id}/write?answers={came_id}").text
    data = {**FORM, "to": "office@client.test", "answers": str(came_id), "csrf_token": token(page)}
    ana.post(f"/leads/{lead_id}/write", data=data)
    answer = messages(database)[-1]
    assert (answer.thread, answer.in_reply_to, answer.references) == (
        "t",
        "<q@client.test>",
        ["<q@client.test>"],
    )


def test_marks_stand_on_the_page_and_a_bounce_is_written_to_on_purpose_only(
    ana: FlaskClient, database: db.Database, lead_id: int
) -> None:
    with database.unit_of_work() as session:
        point = reachability.point(session, "maria@client.test")
        assert point is not None
        point.bounced_at, point.bounce_reason = clock.now(), "550 <b>gone</b>"
        point.unsubscribed_at = clock.now()
        lead = session.get_one(Lead, lead_id)
        lead.last_outbound_at = lead.last_inbound_at.replace(year=2020)
    page = ana.get(f"/leads/{lead_id}").text
    for words in ("Mail came back", "550 &lt;b&gt;gone", "Unsubscribed", "Unanswered"):
        assert words in page
    mark = {"csrf_token": token(ana.get(f"/leads/{lead_id}/write"))}
    refused = ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark})
    assert (refused.status_code, "despite_bounce" in refused.text) == (422, True)
    ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark, "despite_bounce": "yes"})
    assert len(messages(database)) == 1


def test_who_may_only_look_writes_nothing(ana: FlaskClient, database: db.Database, lead_id: int) -> None:
    mark = {"csrf_token": token(ana.get(f"/leads/{lead_id}/write"))}
    with database.unit_of_work() as session:
        session.scalars(select(User).where(User.name == "Ana Lima")).one().role = Role.READ_ONLY
    assert "Write an e-mail" not in ana.get(f"/leads/{lead_id}").text
    assert ana.get(f"/leads/{lead_id}/write").status_code == 403
    assert ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark}).status_code == 403
    assert messages(database) == []
    assert ana.get("/leads/999999/write").status_code in (403, 404)
