"""Mails over the API, templates and their previews, and the door for who wants no more of them."""

from __future__ import annotations

import base64

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db
from core.ids import new_id
from crm import attachments, threads
from crm.submission import LeftFile
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal import Deal
from models.lead import Lead
from models.message import Message
from models.rule import StepRow, StepState
from tests.api.conftest import Ask
from tests.factories import WORKSPACE, configure
from worker import executor, mailing

TEMPLATES = """
templates:
  - key: welcome
    subject: "Hello {{ lead.name }}"
    text: "Dear {{ lead.name }}: {{ lead.message }}"
    html: '<p>Dear <b title="{{ lead.name }}">{{ lead.name }}</b></p>'
    languages:
      pt: {subject: "Olá {{ lead.name }}", text: "Cara {{ lead.name }}"}
      de-AT: {text: "Servus {{ lead.name }}"}
"""
HERE = WORKSPACE.partition("templates:")[0] + TEMPLATES + "forms:" + WORKSPACE.partition("forms:")[2]


def lead(ask: Ask, **more: object) -> int:
    made = ask("POST", "/leads", json={"name": "Maria", "email": "maria@client.test", **more})
    number: int = made.json["id"]
    return number


def test_a_mail_is_written_sent_and_read_again(ask: Ask) -> None:
    lead_id = lead(ask)
    asked = {
        "subject": "Your offer",
        "text": "Here it is.",
        "user": "ana@acme.test",
        "attachments": [{"name": "offer.pdf", "content": base64.b64encode(b"%PDF-1.7").decode()}],
    }
    key = {"Idempotency-Key": "k1"}
    made = ask("POST", f"/leads/{lead_id}/emails", json=asked, headers=key)
    assert made.status_code == 202
    assert ask("POST", f"/leads/{lead_id}/emails", json=asked, headers=key).json["id"] == made.json["id"]
    other = ask("POST", f"/leads/{lead_id}/emails", json={**asked, "text": "Another"}, headers=key)
    assert other.status_code == 409
    assert (made.json["state"], made.json["to"], made.json["direction"]) == (
        "queued",
        "maria@client.test",
        "out",
    )
    mailing.send(made.json["id"])
    read = ask("GET", f"/emails/{made.json['id']}").json
    assert (read["state"], read["attachments"][0]["name"]) == ("sent", "offer.pdf")
    assert ask("GET", f"/attachments/{read['attachments'][0]['id']}").data == b"%PDF-1.7"
    assert [m["id"] for m in ask("GET", f"/leads/{lead_id}/emails").json["items"]] == [made.json["id"]]
    told = ask("GET", f"/leads/{lead_id}").json
    assert told["first_response_at"] is not None
    assert told["unanswered"] is False
    assert ask("GET", "/leads?unanswered=true").json["items"] == []
    entry = next(
        e for e in ask("GET", f"/leads/{lead_id}/timeline").json["items"] if e["kind"] == "mail_sent"
    )
    assert entry["data"]["text"] == "Here it is."


def test_who_a_contact_or_a_deal_is_about_is_written_to(ask: Ask, database: db.Database) -> None:
    configure(HERE)
    maria = {"name": "Maria", "emails": ["maria@client.test"], "fields": {}}
    contact_id = ask("POST", "/contacts", json=maria).json["id"]
    deal_id = ask("POST", "/deals", json={"title": "Chairs", "contact_id": contact_id}).json["id"]
    for path, owned in ((f"/contacts/{contact_id}", "contact_id"), (f"/deals/{deal_id}", "deal_id")):
        preview = ask("GET", f"/templates/welcome/preview?{owned.removesuffix('_id')}={path.split('/')[2]}")
        assert (preview.status_code, preview.json["subject"]) == (200, "Hello Maria")
        with database.unit_of_work() as session:
            session.get_one(Contact if owned == "contact_id" else Deal, 1).waits_since = clock.now()
        key = {"Idempotency-Key": "k1"}
        made = ask("POST", f"{path}/emails", json={"template": "welcome", "language": "pt"}, headers=key)
        assert (made.status_code, made.json["to"]) == (202, "maria@client.test")
        assert (made.json["subject"], made.json["text"]) == ("Olá Maria", "Cara Maria")
        assert (made.json["lead_id"], made.json[owned] is not None) == (None, True)
        mailing.send(made.json["id"])
        assert ask("GET", f"{path}/emails").json["items"][0]["state"] == "sent"
        assert ask("GET", f"{path}/timeline").json["items"][0]["kind"] == "mail_sent"
        with database.reading() as session:
            assert session.get_one(Contact if owned == "contact_id" else Deal, 1).waits_since is None
            assert threads.ours(session, (made.json["message_id"],)) is not None
    wrong = ask("POST", f"/deals/{deal_id}/emails", json={"subject": "x", "text": "y", "answers": 1})
    assert [mistake["field"] for mistake in wrong.json["errors"]] == [
        "/answers"
    ]  # the contact's, not the deal's
    assert len(ask("GET", f"/contacts/{contact_id}/emails").json["items"]) == 2
    assert ask("POST", "/contacts/9/emails", json={"subject": "x", "text": "y"}).status_code == 404
    nobody = ask("POST", "/deals", json={"title": "Nobody's"}).json["id"]
    unaddressed = ask("POST", f"/deals/{nobody}/emails", json={"subject": "x", "text": "y"})
    assert [mistake["field"] for mistake in unaddressed.json["errors"]] == ["/to"]
    for asked in ("", f"lead=1&contact={contact_id}"):
        assert ask("GET", f"/templates/welcome/preview?{asked}").status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "/subject"),
        ({"subject": "x"}, "/text"),
        ({"subject": "x", "text": "y", "to": "nobody"}, "/to"),
        ({"subject": "x\r\nBcc: a@b.test", "text": "y"}, "/subject"),
        ({"subject": "x", "text": "y", "to": "a@b.test\r\nBcc: c@d.test"}, "/to"),
        ({"subject": "x", "text": "y", "cc": ["a@b.test"] * 11}, "/cc"),
        ({"template": "nothing"}, "/template"),
        ({"subject": "x", "text": "y", "answers": 99}, "/answers"),
        ({"subject": "x", "text": "y", "mailbox": "nowhere"}, "/mailbox"),
        ({"subject": "x", "text": "y", "user": "nobody@acme.test"}, "/user"),
        (
            {"subject": "x", "text": "y", "attachments": [{"name": "a", "content": "%%%"}]},
            "/attachments/0/content",
        ),
        (
            {"subject": "x", "text": "y", "attachments": [{"name": "a\nb", "content": ""}]},
            "/attachments/0/name",
        ),
        ({"subject": "x", "text": "y", "owner": "x"}, "/owner"),
    ],
)
def test_what_cannot_be_sent_is_named(ask: Ask, body: dict[str, object], field: str) -> None:
    refused = ask("POST", f"/leads/{lead(ask)}/emails", json=body)
    assert refused.status_code == 422
    assert field in [mistake["field"] for mistake in refused.json["errors"]]


def test_a_template_reads_as_it_would_be_sent(ask: Ask) -> None:
    configure(HERE)
    lead_id = lead(ask, name='<b>Maria</b> {{ lead.email }} & "co"')
    said = ask("GET", f"/templates/welcome/preview?lead={lead_id}").json
    assert said["subject"] == 'Hello <b>Maria</b> {{ lead.email }} & "co"'
    assert said["html"].count("&lt;b&gt;Maria&lt;/b&gt; {{ lead.email }} &amp; &#34;co&#34;") == 2
    portuguese = lead(ask, email="p@client.test", fields={"language": "pt_BR"})
    found = ask("GET", f"/templates/welcome/preview?lead={portuguese}").json
    assert (found["language"], found["text"], found["html"]) == ("pt", "Cara Maria", "")
    austrian = ask("GET", f"/templates/welcome/preview?lead={portuguese}&language=de").json
    assert (austrian["subject"], austrian["text"]) == ("Hello Maria", "Servus Maria")
    assert ask("GET", f"/templates/other/preview?lead={lead_id}").status_code == 404
    assert ask("GET", "/templates/welcome/preview?lead=99").status_code == 404
    assert [t["languages"] for t in ask("GET", "/templates").json["items"]] == [["de-AT", "pt"]]


def unsubscribe_path(database: db.Database) -> str:
    from crm import reachability

    with database.reading() as session:
        return reachability.unsubscribe_link(session, "maria@client.test").partition(":8000")[2]


def test_one_click_unsubscribes_from_what_machines_write(
    client: FlaskClient, ask: Ask, database: db.Database
) -> None:
    rules = "  - {name: r, on: tag.added, do: [send_email: {template: welcome}]}"
    configure(rules=rules)
    lead_id = lead(ask, tags=["one"])
    path = unsubscribe_path(database)
    shown = client.get(path, headers={"Accept-Language": "pt"})
    assert (shown.status_code, "maria@client.test" in shown.text, 'lang="pt"' in shown.text) == (
        200,
        True,
        True,
    )
    with database.reading() as session:
        assert session.scalars(select(ContactPoint.unsubscribed_at)).one() is None  # a look changes nothing
    for _ in range(2):
        done = client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200
    kinds = [e["kind"] for e in ask("GET", f"/leads/{lead_id}/timeline").json["items"]]
    assert kinds.count("unsubscribed") == 1
    with database.reading() as session:
        step_id = session.scalars(select(StepRow.id)).one()
    executor.Executor(1).run_step(step_id)
    with database.reading() as session:
        step = session.get_one(StepRow, step_id)
        assert (step.state, "has unsubscribed" in (step.result or "")) == (StepState.SKIPPED, True)
        assert session.scalars(select(Message)).all() == []


@pytest.mark.parametrize("change", ["x", "", "0", "999999999999999999999-a", "-", "%00", "1-", "١-a"])
def test_a_link_that_we_did_not_make_unsubscribes_nobody(
    client: FlaskClient, ask: Ask, database: db.Database, change: str
) -> None:
    lead(ask)
    path = unsubscribe_path(database)
    for forged in (path[:-1] + ("a" if path[-1] != "a" else "b"), path.rpartition("/")[0] + "/" + change):
        assert client.post(forged).status_code in (404, 405)
    with database.reading() as session:
        assert session.scalars(select(ContactPoint.unsubscribed_at)).one() is None


def test_a_file_that_was_left_on_a_mail_server_is_fetched_on_demand(ask: Ask) -> None:
    lead_id = lead(ask)
    with db.unit_of_work() as session:
        left = LeftFile("plans.pdf", "application/pdf", 40_000_000, {"mailbox": "sales", "uid": 1})
        huge = LeftFile("film.mp4", "video/mp4", 90_000_000, {"mailbox": "sales", "uid": 1})
        attachments.leave(session, session.get_one(Lead, lead_id), [left, huge], event_id=new_id(), first=0)
    items = ask("GET", f"/leads/{lead_id}/attachments").json["items"]
    assert [(i["left"], i["refused"]) for i in items] == [
        (True, "left on the mail server"),
        (False, "left on the mail server, and too large to be fetched"),
    ]
    assert "left on the mail server" in ask("GET", f"/attachments/{items[0]['id']}").json["detail"]
    asked = ask("POST", f"/attachments/{items[0]['id']}/fetch")
    assert (asked.status_code, asked.json["refused"]) == (202, "left on the mail server, being fetched")
    refused = ask("POST", f"/attachments/{items[1]['id']}/fetch")
    assert (refused.status_code, "too large" in refused.json["detail"]) == (409, True)
    assert ask("POST", "/attachments/99/fetch").status_code == 404
