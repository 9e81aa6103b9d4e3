"""Mails over the API, templates and their previews, and the door for who wants no more of them."""

from __future__ import annotations

import base64

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from models.contact_point import ContactPoint
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
