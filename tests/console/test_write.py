"""Writing to a lead's person from its page."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db, storage
from crm import contacts, deals, reachability, timeline
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


@pytest.mark.parametrize("kind", ["contact", "deal"])
def test_a_contact_and_a_deal_s_contact_are_written_to_from_their_pages(
    ana: FlaskClient, database: db.Database, lead_id: int, kind: str
) -> None:
    with database.unit_of_work() as session:
        contact = contacts.create(session, name="Rui", emails=["rui@client.test"], actor="t")
        deal = deals.create(session, title="Chairs", actor="t", contact=contact)
        place = f"/{kind}s/{contact.id if kind == 'contact' else deal.id}"
    assert f'href="{place}/write"' in ana.get(place).text
    page = ana.get(f"{place}/write")
    assert 'value="rui@client.test"' in page.text
    mark = {"csrf_token": token(page), "to": "rui@client.test"}
    assert (
        "Dear Rui"
        in ana.post(f"{place}/write", data={**FORM, **mark, "template": "offer", "do": "fill"}).text
    )
    framed = ana.post(
        f"{place}/write", data={**FORM, **mark, "template": "offer", "text": "Dear Rui", "do": "preview"}
    )
    assert f'src="{place}/write/preview?template=offer"' in framed.text
    assert "<b>Rui</b>" in ana.get(f"{place}/write/preview?template=offer").text
    sent = ana.post(f"{place}/write", data={**FORM, **mark})
    assert (sent.status_code, sent.headers["Location"]) == (303, f"{place}#timeline")
    (message,) = messages(database)
    assert (message.to_address, message.lead_id, message.contact_id) == ("rui@client.test", None, contact.id)
    assert (message.deal_id is None) == (kind == "contact")
    with database.unit_of_work() as session:
        row = session.get_one(Message, message.id)
        row.state, row.error, row.due_at = MessageState.FAILED, "550 no such user", None
        mail = Message(
            direction=Direction.IN, state=MessageState.RECEIVED, effect_key="e", message_id="<q@client.test>",
            thread="t", from_address="rui@client.test", subject="Chairs", created_at=clock.now(),
            contact_id=contact.id, deal_id=message.deal_id,
        )  # fmt: skip
        session.add(mail)
        session.flush()
        element = contact if kind == "contact" else deal
        timeline.record(session, element, kind="email", summary="E-mail: Chairs", data={"message": mail.id})
    shown = ana.get(place).text
    assert "was not sent: 550 no such user" in shown
    assert f'href="{place}/write?answers={mail.id}"' in shown
    assert 'value="Re: Chairs"' in ana.get(f"{place}/write?answers={mail.id}").text
    assert ana.post(f"/sent/{message.id}/again", data=mark).headers["Location"] == f"{place}#timeline"
    assert ana.get(f"/{kind}s/99/write").status_code == 404


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


def test_the_preview_shows_the_html_that_goes_along_in_a_frame_that_may_do_nothing(
    ana: FlaskClient, lead_id: int
) -> None:
    mark = {"csrf_token": token(ana.get(f"/leads/{lead_id}/write")), "do": "preview", "template": "offer"}
    page = ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark, "text": "Dear Maria <b>Souza</b>"})
    assert f'sandbox="" src="/leads/{lead_id}/write/preview?template=offer"' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    frame = ana.get(f"/leads/{lead_id}/write/preview?template=offer")
    assert "<p>Dear <b>Maria &lt;b&gt;Souza&lt;/b&gt;</b></p>" in frame.text
    assert "sandbox" in frame.headers["Content-Security-Policy"]
    assert "default-src 'none'" in frame.headers["Content-Security-Policy"]
    changed = ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark, "text": "Dear Maria, well"})
    assert ("<iframe" in changed.text, "HTML does not go along" in changed.text) == (False, True)
    for query in ("template=nothing", "template=%00x", f"template={'x' * 5000}"):
        assert ana.get(f"/leads/{lead_id}/write/preview?{query}").status_code == 404, query
    assert ana.get(f"/leads/{lead_id}/write/preview").status_code == 200
    for name in ("template", "language", "mailbox", "answers", "to", "subject", "text", "cc"):
        posted = ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark, name: "\0x"})
        assert posted.status_code in (200, 422), name


def test_a_mail_that_could_not_be_sent_is_sent_again_from_the_lead_s_page(
    ana: FlaskClient, database: db.Database, lead_id: int
) -> None:
    mark = {"csrf_token": token(ana.get(f"/leads/{lead_id}/write"))}
    ana.post(f"/leads/{lead_id}/write", data={**FORM, **mark})
    (message,) = messages(database)
    assert "Send it again" not in ana.get(f"/leads/{lead_id}").text
    ana.post(f"/sent/{message.id}/again", data=mark)
    with database.unit_of_work() as session:
        row = session.get_one(Message, message.id)
        assert row.state is MessageState.QUEUED  # it is on its way: nothing to do again
        row.state, row.error, row.attempts, row.due_at = MessageState.FAILED, "550 <no> such user", 5, None
    page = ana.get(f"/leads/{lead_id}")
    assert "was not sent: 550 &lt;no&gt; such user" in page.text
    answer = ana.post(f"/sent/{message.id}/again", data=mark)
    assert answer.headers["Location"] == f"/leads/{lead_id}#timeline"
    (message,) = messages(database)
    assert (message.state, message.attempts, message.due_at) == (MessageState.QUEUED, 0, clock.now())
    assert ana.post("/sent/99/again", data=mark).status_code == 404
    assert ana.post(f"/sent/{message.id}/again").status_code == 400
