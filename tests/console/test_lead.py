"""One lead: who, what is next, what happened, and why."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from console import timelines
from core import clock, db, storage
from models import ContactPoint, Lead, LeadStatus, PointKind, Recording, RecordingState
from models.attachment import Attachment
from tests.browser import scene
from tests.console import seed
from tests.console.conftest import token


@pytest.fixture
def maria(stranger: FlaskClient, database: db.Database) -> int:
    """Maria's lead, with all that a lead can have."""
    with database.unit_of_work() as session:
        return scene.populate(session)


@pytest.fixture
def page(maria: int, stranger: FlaskClient) -> str:
    """Her page, as Ana sees it, with white space made single."""
    signed_in(stranger)
    return " ".join(stranger.get(f"/leads/{maria}").text.split())


def signed_in(client: FlaskClient) -> None:
    with client.session_transaction() as cookie:
        cookie.update(user=1, epoch=1, since=int(seed.NOW.timestamp()))


def test_the_head_says_who_it_is_and_how_to_reach_them(page: str) -> None:
    assert "<h1>Maria Souza</h1>" in page
    assert '<a href="mailto:maria@boavista.test">maria@boavista.test</a>' in page
    assert '<a href="tel:+5511987650000">+5511987650000</a>' in page
    for words in ("Farmácias Boa Vista", "Ana Lima", ">35<", ">enterprise<", "Website contact"):
        assert words in page


def test_the_next_steps_come_in_order_and_the_overdue_one_is_marked(page: str) -> None:
    part = page[page.index('id="next"') : page.index('id="timeline"')]
    assert part.index("Call Maria Souza (enterprise)") < part.index("Send the first estimate")
    assert part.count("Overdue") == 1
    assert "urgent" in part
    assert "1 done or cancelled" in part
    assert "done: eleven shops" in part


def test_the_timeline_tells_the_newest_first_in_words(page: str) -> None:
    part = page[page.index('id="timeline"') : page.index('id="why"')]
    order = ["She prefers mornings.", "Call missed", "Notify crm.acme.test", "Sent to maria", "Form: Website"]
    places = [part.index(words) for words in order]
    assert places == sorted(places)
    for words in (
        "Not on Fridays.",
        "Ana Lima",
        "Missed",
        "22 s",
        "Thank you, Maria Souza",
        "Rule “Answer and follow up”",
        "eleven pharmacies",
        "/telephone-systems",
        "pharmacies-2026",
        "11 98765-0000",
    ):
        assert words in part, words


def test_a_long_text_is_folded_and_a_short_one_is_not(page: str) -> None:
    assert '<details class="long"> <summary><span class="preview">Good morning, we are' in page
    assert '<div class="text">Hello Maria Souza,' in page


def test_why_shows_each_rule_with_its_parts_what_they_saw_and_the_steps(page: str) -> None:
    part = page[page.index('id="why"') :]
    assert "A new lead was made of an enquiry" in part
    assert part.count("<details open>") == 2
    for words in (
        "<code>lead.fields.employees &gt;= 200</code>",
        "lead.fields.employees was <b>450</b>",
        "lead.channel was <b>&#34;form&#34;</b>",
        "lead.fields.partner was <b>empty</b> (partner is empty)",
        "could not be told",
        "not started: rules set off rules 5 deep, 12 runs",
        "Assigned to Ana Lima: named by the rule",
        '<span class="state ready">ready</span>',
        "2 attempts",
    ):
        assert words in part, words
    assert {"✓", "✗", "–"} <= set(re.findall(r'aria-hidden="true">(.)</span>', part))


def test_a_lead_about_which_nothing_is_known_has_a_page_too(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        lead_id = seed.lead(session, source_id=3, name="", title="Withheld number").id
    page = ana.get(f"/leads/{lead_id}").text
    for words in (
        "Withheld number",
        "Nobody",
        "Nothing is planned.",
        "Nothing has happened yet.",
        "No rule has",
    ):
        assert words in page
    assert "mailto:" not in page


def test_all_contact_points_of_the_person_are_there_once(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        lead = seed.lead(
            session, email="Maria@client.test", first_response_at=seed.NOW + timedelta(minutes=90)
        )
        session.add(ContactPoint(kind=PointKind.EMAIL, value="m@home.test", person_id=lead.person_id))
    page = ana.get("/leads/1").text
    assert page.count("aria@client.test</a>") == 1
    assert '<a href="mailto:m@home.test">' in page
    assert "after 1 h 30 min" in page


def test_a_merged_lead_leads_to_the_one_it_is_part_of(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        kept, gone = seed.lead(session), seed.lead(session)
        seed.set_status(session, gone, LeadStatus.MERGED, into=kept)
    answer = ana.get("/leads/2")
    assert (answer.status_code, answer.location) == (303, "/leads/1")


def test_a_long_timeline_comes_in_pages(ana: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "ENTRIES", 2)
    with db.unit_of_work() as session:
        lead = seed.lead(session)
        for n in range(1, 4):
            seed.entry(session, lead, "comment", f"Remark {n}", after=timedelta(minutes=n), actor="user:99")
    first = ana.get("/leads/1").text
    assert "Remark 3" in first
    assert "Remark 1" not in first
    assert 'href="/leads/1?before=2#timeline"' in first
    second = ana.get("/leads/1?before=2").text
    assert "Remark 1" in second
    assert "Remark 2" not in second
    assert "User 99" in second


def test_a_page_takes_as_many_queries_however_much_has_happened(
    ana: FlaskClient, database: db.Database
) -> None:
    with db.unit_of_work() as session:
        lead = seed.lead(session, owner_id=1, phone="+5511987654321")
    counts = []
    for _ in range(2):
        with db.unit_of_work() as session:
            lead = session.get_one(Lead, 1)
            for n in range(1, 4):
                seed.traced(session, lead)
                seed.activity(session, lead, due=timedelta(hours=n), owner_id=n)
                made = seed.call(session, lead)
                seed.entry(session, lead, "call", "Call", data={"call": made.id}, actor=f"user:{n}")
        asked: list[str] = []

        def count(_: Any, __: Any, statement: str, *___: Any, asked: list[str] = asked) -> None:
            if statement.startswith("SELECT"):
                asked.append(statement)

        event.listen(database.engine, "before_cursor_execute", count)
        assert ana.get("/leads/1").status_code == 200
        event.remove(database.engine, "before_cursor_execute", count)
        counts.append(len(asked))
    assert counts[0] == counts[1] < 26


def test_a_recording_is_played_where_it_is_kept_and_told_of_where_it_is_not(
    ana: FlaskClient, database: db.Database
) -> None:
    storage.put("recordings/1/1", b"ID3" + bytes(300))
    with db.unit_of_work() as session:
        lead = seed.lead(session, owner_id=1, phone="+5511987654321")
        made = seed.call(session, lead, transcript="Please <b>call</b> me", answered_by="101")
        kept, away = (
            Recording(call_id=made.id, said=said, state=state, created_at=seed.NOW, error=error)
            for said, state, error in (
                ("a", RecordingState.KEPT, ""),
                ("b", RecordingState.FAILED, "answered 404"),
            )
        )
        kept.place, kept.kind, kept.size = "recordings/1/1", "audio/mpeg", 303
        session.add_all([kept, away])
        seed.entry(session, lead, "call", "Call", data={"call": made.id})
    page = " ".join(ana.get("/leads/1").text.split())
    assert 'src="/recordings/1"' in page
    assert "could not be fetched (answered 404)" in page
    assert "Please &lt;b&gt;call&lt;/b&gt; me" in page
    part = ana.get("/recordings/1", headers={"Range": "bytes=0-2"})
    assert (part.status_code, part.data, part.mimetype) == (206, b"ID3", "audio/mpeg")
    assert part.headers["Content-Range"] == "bytes 0-2/303"
    for asked, status, length in (
        ("bytes=300-", 206, 3), ("bytes=-4", 206, 4), ("bytes=0-9999", 206, 303), ("bytes=303-", 416, None),
        ("bytes=9-3", 200, 303), ("lines=1-2", 200, 303), ("bytes=0-1,5-6", 200, 303), ("\u00b2", 200, 303),
    ):  # fmt: skip
        found = ana.get("/recordings/1", headers={"Range": asked})
        assert found.status_code == status, asked
        assert length is None or len(found.data) == length, asked
    assert ana.get("/recordings/2").status_code == 404
    assert ana.application.test_client().get("/recordings/1").status_code in (302, 303, 401)


def test_a_file_that_was_left_on_the_mail_server_is_asked_for_from_the_lead_s_page(
    ana: FlaskClient, database: db.Database
) -> None:
    with database.unit_of_work() as session:
        of = seed.lead(session)
        places: tuple[dict[str, object] | None, ...] = ({"mailbox": "sales"}, None)
        for position, left in enumerate(places):
            session.add(
                Attachment(
                    lead_id=of.id,
                    event_id="0193b0a5-0000-7000-8000-000000000000",
                    position=position,
                    name=f"plans{position}.pdf",
                    kind="application/pdf",
                    size=40_000_000,
                    digest="",
                    place="",
                    refused="left on the mail server" if left else "its mail is not in the folder any more",
                    left=left,
                    created_at=clock.now(),
                )
            )
    page = ana.get("/leads/1")
    assert page.text.count("Fetch it") == 1
    assert "not kept: its mail is not in the folder any more" in page.text
    asked = ana.post("/attachments/1/fetch", data={"csrf_token": token(page)})
    assert asked.headers["Location"] == "/leads/1#files"
    with database.reading() as session:
        assert session.get_one(Attachment, 1).fetch_at == clock.now()
    page = ana.get("/leads/1")
    assert ("Fetch it" in page.text, "being fetched" in page.text) == (False, True)
    assert ana.post("/attachments/2/fetch", data={"csrf_token": token(page)}).status_code == 303
    assert ana.post("/attachments/9/fetch", data={"csrf_token": token(page)}).status_code == 404
