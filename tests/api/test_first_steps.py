"""The first steps with the CRM, in their order, by nobody but a client of the API and those outside.

Only what the service's own processes do without being asked (a worker, a mailbox's watcher) is called here.
"""

from __future__ import annotations

import io
import re
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import clock
from tests.api.conftest import Ask
from tests.factories import NOON
from tests.intake.mailbox.watching import watching
from tests.servers import telephony
from tests.servers.imap import ImapServer
from tests.servers.mail import PASSWORD, USER
from tests.servers.port import wait_for
from worker import executor, imports

SETTINGS: dict[str, Any] = {
    "workspace": {"name": "Bakery Supplies", "timezone": "America/Sao_Paulo", "rights": {"agent": {"see": "own"}}},
    "users": [
        {"email": "ana@acme.test", "name": "Ana"},
        {"email": "rui@acme.test", "name": "Rui", "role": "agent"},
        {"email": "clara@acme.test", "name": "Clara", "role": "manager"},
    ],
    "teams": [{"key": "inbound", "members": ["ana@acme.test", "rui@acme.test"], "lead": "clara@acme.test"}],
    "lead_statuses": [{"key": "quoted", "name": "Quoted", "requires": ["fields.ovens"]}],
    "pipelines": [
        {
            "key": "sales",
            "name": "Sales",
            "stages": [
                {"key": "talk", "probability": 20},
                {"key": "offer", "probability": 60, "requires": ["amount"]},
                {"key": "won", "group": "won"},
                {"key": "lost", "group": "lost", "reason_required": True},
            ],
        }
    ],
    "closing_reasons": [{"key": "price", "group": "lost"}, {"key": "service", "group": "won"}],
    "junk_reasons": [{"key": "spam"}],
    "currencies": [{"code": "EUR", "rate": 6.5}],
    "units": [{"key": "piece", "name": "Piece"}],
    "taxes": [{"key": "icms", "rate": 18}],
    "activity_types": [{"key": "visit", "name": "Visit", "outcomes": ["convinced", "not yet"]}],
    "fields": [
        {"key": "ovens", "on": ["lead", "deal"], "type": "number"},
        {"key": "segment", "on": ["company"], "type": "choice", "choices": ["bakery", "hotel"]},
    ],
    "numbers": {"deal": "D-{year}-{number:04}"},
    "forms": [{"key": "quote"}],
    "rules": [{"name": "all", "on": "lead.created", "do": [{"assign": {"team": "inbound"}}]}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def on_a_monday() -> Any:
    with clock.frozen(NOON):
        yield


def test_the_first_steps_in_their_order(ask: Ask, client: FlaskClient) -> None:
    with ImapServer() as server:
        set_up(ask, server)
        by_hand, imported, from_form, from_mail, from_call = add_leads(ask, client, server)
    work(ask, by_hand)
    contact, company, deal = complete(ask, by_hand)
    sell(ask, deal)
    close(ask, deal, from_form["id"])
    look_back(ask, contact, company, deal)
    ask("PATCH", f"/leads/{from_mail['id']}", json={"status": "junk", "reason": "spam"})
    assert ask("GET", f"/leads/{from_mail['id']}").json["status"] == "junk"
    assert {imported["channel"], from_call["channel"]} == {"import", "call"}
    go_simple(ask, client, by_hand)


def set_up(ask: Ask, server: ImapServer) -> None:
    """Statuses, pipelines, currencies, kinds of activity, fields, roles and ways in."""
    mailbox = {
        "key": "sales", "host": "127.0.0.1", "port": server.port, "security": "none",
        "username": USER, "password": PASSWORD, "poll_seconds": 60, "since": "all",
    }  # fmt: skip
    line = {"key": "main", "provider": "generic", **telephony.LINES["generic"], "numbers": ["+551140000000"]}
    parts = SETTINGS | {"mailboxes": [mailbox], "lines": [line]}
    before = ask("GET", "/workspace")
    tried = ask("PATCH", "/workspace?dry_run=true", json={"settings": parts})
    assert tried.status_code == 200, tried.text
    assert ask("GET", "/workspace").json == before.json
    told = ask("PATCH", "/workspace", json={"settings": parts}, headers={"If-Match": before.headers["ETag"]})
    assert told.status_code == 200, told.text
    assert {"pipeline sales", "form quote", "mailbox sales", "line main", "user rui@acme.test"} <= {
        c["what"] for c in told.json["changes"]
    }
    stale = ask("PATCH", "/workspace", json={"settings": {}}, headers={"If-Match": before.headers["ETag"]})
    assert stale.status_code == 412
    assert told.json["settings"]["workspace"]["country"] == "BR"  # what was not said stays
    assert PASSWORD not in told.text
    assert ask("PATCH", "/workspace", json={"settings": parts}).json["changes"] == []
    assert [p["key"] for p in ask("GET", "/pipelines").json["items"]] == ["sales"]
    assert [r["key"] for r in ask("GET", "/reasons").json["junk"]] == ["spam"]


def add_leads(ask: Ask, client: FlaskClient, server: ImapServer) -> list[dict[str, Any]]:
    """By hand, from a file, by a form, by e-mail and by telephone."""
    made = ask(
        "POST", "/leads", json={"name": "Maria Souza", "email": "maria@client.test", "company": "Pão Bom"}
    )
    assert made.status_code == 201, made.text
    file = io.BytesIO(b"Name;E-mail;Status\nJoana Lima;joana@client.test;in_progress\n")
    job = ask("POST", "/imports", data={"file": (file, "fair.csv"), "start": "true"}).json
    while imports.advance(job["id"]):
        pass
    assert ask("GET", f"/imports/{job['id']}").json["created"] == 1
    posted = client.post(
        "/in/forms/quote",
        json={"name": "Pedro", "email": "pedro@client.test", "message": "How much is an oven?"},
        headers={"Accept": "application/json"},
    )
    assert posted.status_code == 202, posted.text
    server.deliver(
        b"From: Lia <lia@client.test>\r\nSubject: Ovens\r\nMessage-ID: <1@client.test>\r\n\r\nPrice?\r\n"
    )
    with watching():
        wait_for(lambda: ask("GET", "/events?source=sales").json["items"], 5, "the mail does not come in")
    said = {"call_id": "c1", "direction": "inbound", "from": "+5511987654321", "to": "+551140000000"}
    url = "https://in.acme.test/in/calls/generic/main"
    event = {"type": "call.ended", "data": said | {"status": "missed"}}
    _, _, headers, body = telephony.request("generic", url, event, clock.now())
    assert client.post("/in/calls/generic/main", headers=headers, data=body).status_code == 200
    for waiting in ask("GET", "/events?state=received").json["items"]:
        executor.process_event(waiting["id"])
    found = [
        ask("GET", f"/leads?{query}").json["items"]
        for query in (
            "email=maria@client.test", "channel=import", "channel=form", "channel=email", "channel=call"
        )
    ]  # fmt: skip
    assert [len(each) for each in found] == [1] * 5
    return [each[0] for each in found]


def work(ask: Ask, lead: dict[str, Any]) -> None:
    """Its owner sees it and another agent's rights are kept; a status, a comment, a visit with its outcome."""
    path = f"/leads/{lead['id']}"
    assert lead["owner"]["email"] in ("ana@acme.test", "rui@acme.test")
    refused = ask("PATCH", path, json={"status": "quoted"})
    assert refused.status_code == 422
    assert "ovens" in refused.text
    assert ask("PATCH", path, json={"fields": {"ovens": 3}}).status_code == 200
    assert ask("PATCH", path, json={"status": "quoted"}).json["status"] == "quoted"
    assert ask("POST", f"{path}/comments", json={"text": "Wants three ovens"}).status_code == 201
    visit = {
        "type": "visit",
        "subject": "See the bakery",
        "due_at": "2026-11-24T13:00:00Z",
        "lead_id": lead["id"],
    }
    planned = ask("POST", "/activities", json=visit)
    assert planned.status_code == 201, planned.text
    done = f"/activities/{planned.json['id']}/complete"
    assert ask("POST", done, json={"outcome": "asleep"}).status_code == 422
    assert ask("POST", done, json={"outcome": "convinced", "result": "They have room"}).status_code == 200
    told = [e["summary"] for e in ask("GET", f"{path}/timeline").json["items"]]
    assert any("Wants three ovens" in words for words in told)
    assert any("quoted" in words.lower() for words in told)


def complete(ask: Ask, lead: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The lead becomes a contact, a company and a deal, once."""
    order = {
        "into": ["contact", "company", "deal"],
        "company": {"name": "Pão Bom", "fields": {"segment": "bakery"}},
        "deal": {"title": "Three ovens", "fields": {"ovens": 3}},
    }
    made = ask("POST", f"/leads/{lead['id']}/convert", json=order)
    assert made.status_code == 200, made.text
    assert made.json["lead"]["status"] == "converted"
    assert made.json["deal"]["stage"] == "talk"
    assert re.fullmatch(r"D-2026-\d{4}", made.json["deal"]["number"])
    assert ask("POST", f"/leads/{lead['id']}/convert", json=order).status_code == 409
    return made.json["contact"], made.json["company"], made.json["deal"]


def sell(ask: Ask, deal: dict[str, Any]) -> None:
    """What is sold: a product and a variant of it, on the deal; its amount comes from the lines."""
    path = f"/deals/{deal['id']}"
    assert ask("POST", f"{path}/stage", json={"stage": "offer"}).status_code == 422
    oven = ask("POST", "/products", json={
        "sku": "OV", "name": "Oven", "section": "Ovens", "unit": "piece", "prices": {"BRL": "1000", "EUR": "180"},
        "tax_rate": 18,
    })  # fmt: skip
    assert oven.status_code == 201, oven.text
    large = ask("POST", "/products", json={
        "sku": "OV-L", "name": "Oven, large", "prices": {"BRL": "1500"}, "tax_rate": 18, "tax_included": True,
        "parent_id": oven.json["id"], "options": {"size": "L"},
    })  # fmt: skip
    assert large.status_code == 201, large.text
    lines = [
        {"sku": "OV", "quantity": 2, "discount": 10},
        {"sku": "OV-L", "discount": 100, "discount_type": "amount"},
    ]
    told = ask("PUT", f"{path}/lines", json={"items": lines})
    assert told.status_code == 200, told.text
    # 2 x 1000 less a tenth, with 18 % on it; 1500 less 100, with the tax in it.
    assert [Decimal(i["total"]) for i in told.json["items"]] == [Decimal("2124.00"), Decimal("1400.00")]
    assert Decimal(told.json["amount"]) == Decimal("3524.00")
    assert [i["sku"] for i in ask("GET", "/products?q=large").json["items"]] == ["OV-L"]
    buyer = ask("POST", "/contacts", json={"name": "Caio", "emails": ["caio@client.test"]}).json
    parts = [{"contact_id": buyer["id"], "role": "pays"}]
    assert ask("PATCH", path, json={"contacts": parts}).json["contacts"] == parts


def close(ask: Ask, deal: dict[str, Any], lost_lead: int) -> None:
    """One deal is won; another is lost, which needs its reason."""
    path = f"/deals/{deal['id']}/stage"
    assert ask("POST", path, json={"stage": "offer"}).json["probability"] == 60
    assert ask("POST", path, json={"stage": "won", "reason": "service"}).json["state"] == "won"
    other = ask("POST", f"/leads/{lost_lead}/convert", json={"into": ["contact", "deal"]}).json["deal"]
    path = f"/deals/{other['id']}/stage"
    assert ask("POST", path, json={"stage": "lost"}).status_code == 422
    assert ask("POST", path, json={"stage": "lost", "reason": "price"}).json["state"] == "lost"


def look_back(ask: Ask, contact: dict[str, Any], company: dict[str, Any], deal: dict[str, Any]) -> None:
    """One history; where the deals stand; how many were won, and why others were not."""
    told = [e["summary"] for e in ask("GET", f"/contacts/{contact['id']}/timeline?limit=100").json["items"]]
    assert any("Wants three ovens" in words for words in told)
    assert ask("GET", f"/companies/{company['id']}").json["fields"] == {"segment": "bakery"}
    assert [s["stage"] for s in ask("GET", f"/deals/{deal['id']}/stages").json["items"]] == [
        "talk",
        "offer",
        "won",
    ]
    funnel = table(ask, "funnel")
    assert [r["number"] for r in funnel if "won" in str(r.values()).lower()] == [1]
    (wins,) = table(ask, "wins", by="channel", channel="api")
    assert (wins["won"], wins["lost"]) == (1, 0)
    (lost,) = table(ask, "lost-reasons")
    assert "price" in str(lost.values())


def go_simple(ask: Ask, client: FlaskClient, lead: dict[str, Any]) -> None:
    """In the simple mode an enquiry is a deal with a contact at once; what there was stays, and back again."""
    had = ask("GET", f"/leads/{lead['id']}").json
    told = ask("PATCH", "/workspace", json={"settings": {"workspace": {"mode": "simple"}}})
    assert told.json["settings"]["workspace"]["name"] == "Bakery Supplies"
    posted = client.post(
        "/in/forms/quote",
        json={"name": "Nina", "email": "nina@client.test"},
        headers={"Accept": "application/json"},
    )
    executor.process_event(posted.get_json()["event_id"])
    (person,) = ask("GET", "/contacts?email=nina@client.test").json["items"]
    (deal,) = ask("GET", f"/deals?contact={person['id']}").json["items"]
    assert (deal["pipeline"], deal["stage"]) == ("sales", "talk")
    assert ask("GET", f"/leads/{lead['id']}").json == had
    assert len(ask("GET", "/deals").json["items"]) == 3
    ask("PATCH", "/workspace", json={"settings": {"workspace": {"mode": "classic"}}})
    made = ask("POST", "/leads", json={"name": "Otto", "email": "otto@client.test"}).json
    assert made["status"] == "new"
    assert len(ask("GET", "/deals").json["items"]) == 3


def table(ask: Ask, kind: str, **query: str) -> list[dict[str, Any]]:
    answer = ask("GET", f"/reports/{kind}", query_string=query)
    assert answer.status_code == 200, answer.text
    keys = [c["key"] for c in answer.json["columns"]]
    return [dict(zip(keys, row, strict=True)) for row in answer.json["rows"]]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"workspace": {"mode": "both"}}, "workspace.mode"),
        ({"workspace": {"colour": "red"}}, "colour"),
        ({"pipelines": [{"key": "x", "stages": [{"key": "y"}]}]}, "needs a stage of the group won"),
        ({"nonsense": []}, "'nonsense' is not known here"),
        ({"forms": [{"key": "x", "redirect": "https://a.test/${HOME}"}]}, "${HOME} is no value"),
    ],
)
def test_settings_that_make_no_sense_change_nothing(ask: Ask, settings: dict[str, Any], words: str) -> None:
    before = ask("GET", "/workspace").json
    answer = ask("PATCH", "/workspace", json={"settings": {"units": [{"key": "hour"}]} | settings})
    assert (answer.status_code, words in answer.text) == (422, True), answer.text
    assert ask("GET", "/workspace").json == before
