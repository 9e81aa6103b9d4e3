"""Contacts, companies, deals, products and pipelines over the API, and what becomes of a lead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.answers import made, wrong
from tests.api.conftest import RULES, Ask
from tests.factories import WORKSPACE, configure
from tests.workspace.test_crm_parts import PARTS

CRM = PARTS.split("\n", 1)[1]


@pytest.fixture(autouse=True)
def crm(client: Any) -> None:
    configure(WORKSPACE + CRM, rules=RULES)


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


def test_a_contact_is_made_found_changed_and_deleted(ask: Ask) -> None:
    company = made(ask, "/companies", name="Padaria Sol", domain="Sol.test", country="BR", city="São Paulo")
    contact = made(
        ask, "/contacts", name="Maria Souza", email="Maria@sol.test", phone="(11) 98765-4321", company_id=company["id"],
        owner="ana@acme.test", tags=["vip", "vip"], position="Owner",
    )  # fmt: skip
    assert (contact["first_name"], contact["last_name"], contact["company"]) == (
        "Maria",
        "Souza",
        "Padaria Sol",
    )
    assert (contact["emails"], contact["phones"]) == (["maria@sol.test"], ["+5511987654321"])
    assert (contact["owner"]["email"], contact["tags"]) == ("ana@acme.test", ["vip"])
    path = f"/contacts/{contact['id']}"
    for query in (
        "email=MARIA@sol.test",
        "phone=11987654321",
        "q=souza",
        "owner=ana@acme.test",
        "tag=vip",
        f"company={company['id']}",
    ):
        assert ids(ask("GET", f"/contacts?{query}")) == [contact["id"]], query
        assert ids(ask("GET", f"/contacts?{query}&created_after=2100-01-01T00:00:00Z")) == []
    assert wrong(ask("POST", "/contacts", json={"name": "M", "email": "maria@SOL.test"}), 409) == set()
    changed = ask(
        "PATCH", path, json={"last_name": "Lima", "emails": ["m@lima.test", "maria@sol.test"], "owner": None}
    )
    assert changed.status_code == 200
    assert (changed.json["name"], changed.json["email"], changed.json["owner"]) == (
        "Maria Lima",
        "m@lima.test",
        None,
    )
    assert set(changed.json["emails"]) == {"m@lima.test", "maria@sol.test"}
    told = [e["summary"] for e in ask("GET", f"{path}/timeline").json["items"]]
    assert "last name: Souza → Lima" in told
    assert ask("DELETE", f"/companies/{company['id']}").status_code == 409
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 404
    assert ask("DELETE", f"/companies/{company['id']}").status_code == 204


def test_a_stale_version_changes_nothing(ask: Ask) -> None:
    company = made(ask, "/companies", name="Sol")
    path = f"/companies/{company['id']}"
    tag = ask("GET", path).headers["ETag"]
    fresh = ask("PATCH", path, json={"city": "Rio"}, headers={"If-Match": tag})
    assert (fresh.status_code, fresh.headers["ETag"] != tag) == (200, True)
    assert ask("PATCH", path, json={"city": "x"}, headers={"If-Match": tag}).status_code == 412
    assert ask("DELETE", path, headers={"If-Match": tag}).status_code == 412
    assert ask("GET", path).json["city"] == "Rio"


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/contacts", {}, {"/name"}),
        ("/contacts", {"name": "a", "email": "nobody"}, {"/email"}),
        ("/contacts", {"name": "a", "emails": ["a@b.test", "x"]}, {"/emails"}),
        ("/contacts", {"name": "a", "phone": "12"}, {"/phone"}),
        ("/contacts", {"name": "a", "nmae": "b"}, {"/nmae"}),
        ("/contacts", {"name": "a\nb"}, {"/name"}),
        ("/contacts", {"name": "a" * 201}, {"/name"}),
        ("/contacts", {"name": "a", "company_id": 99}, {"/company_id"}),
        ("/contacts", {"name": "a", "owner": "x@acme.test"}, {"/owner"}),
        ("/companies", {"name": ""}, {"/name"}),
        ("/companies", {"name": "a", "domain": "not a domain"}, {"/domain"}),
        ("/companies", {"name": "a", "country": "Brazil"}, {"/country"}),
        ("/companies", {"name": "a", "fields": {"segment": "huge"}}, {"/fields/segment"}),
        ("/companies", {"name": "a", "fields": {"sgment": "large"}}, {"/fields/sgment"}),
        ("/deals", {}, {"/title"}),
        ("/deals", {"title": "a", "amount": "1e20"}, {"/amount"}),
        ("/deals", {"title": "a", "amount": "NaN"}, {"/amount"}),
        ("/deals", {"title": "a", "amount": "1.00001"}, {"/amount"}),
        ("/deals", {"title": "a", "currency": "EUR"}, {"/currency"}),
        ("/deals", {"title": "a", "stage": "x"}, {"/stage"}),
        ("/deals", {"title": "a", "pipeline": "x"}, {"/pipeline"}),
        ("/deals", {"title": "a", "stage": "offer"}, {"/amount", "/fields/budget"}),
        ("/deals", {"title": "a", "stage": "lost"}, {"/reason"}),
        ("/deals", {"title": "a", "probability": 101}, {"/probability"}),
        ("/deals", {"title": "a", "expected_close": "tomorrow"}, {"/expected_close"}),
        ("/deals", {"title": "a", "contacts": [{"contact_id": 9}]}, {"/contacts/0/contact_id"}),
        ("/deals", {"title": "a", "lines": [{"quantity": 1}]}, {"/lines/0/name", "/lines/0/price"}),
        ("/deals", {"title": "a", "lines": [{"name": "x", "price": 1, "discount": 101}]}, {"/lines/0/discount"}),
        ("/deals", {"title": "a", "lines": [{"sku": "NONE"}]}, {"/lines/0/sku"}),
        ("/products", {"name": "a", "prices": {"EUR": 1}}, {"/prices/EUR"}),
        ("/products", {"name": "a", "prices": {"BRL": -1}}, {"/prices/BRL"}),
        ("/products", {"name": "a", "parent_id": 99}, {"/parent_id"}),
    ],
)  # fmt: skip
def test_what_is_not_acceptable_is_named_and_nothing_is_made(
    ask: Ask, path: str, body: dict[str, Any], fields: set[str]
) -> None:
    before = ids(ask("GET", path))
    assert wrong(ask("POST", path, json=body)) == fields
    assert ids(ask("GET", path)) == before


def test_a_deal_goes_through_its_stages_with_its_lines(ask: Ask) -> None:
    rui = made(ask, "/contacts", name="Rui")
    eva = made(ask, "/contacts", name="Eva")
    deal = made(
        ask, "/deals", title="Ovens", contact_id=rui["id"], contacts=[{"contact_id": eva["id"], "role": "decides"}],
        expected_close="2027-01-31", fields={"budget": "5000"}, owner="ana@acme.test",
    )  # fmt: skip
    path = f"/deals/{deal['id']}"
    assert (deal["stage"], deal["state"], deal["probability"], deal["currency"]) == ("new", "open", 10, "BRL")
    assert deal["number"].endswith(f"-{deal['id']:05}")
    assert deal["contacts"] == [{"contact_id": eva["id"], "role": "decides"}]
    items = [
        {"sku": "OVEN-L", "quantity": 2, "discount": 10},
        {"sku": "SETUP", "quantity": "1.5"},
        {"name": "Delivery", "price": "80", "discount": "30", "discount_type": "amount"},
    ]
    lines = ask("PUT", f"{path}/lines", json={"items": items})
    assert lines.status_code == 200, lines.text
    told = [(x["name"], x["net"], x["tax"], x["total"]) for x in lines.json["items"]]
    assert told == [
        ("Large oven", "12582.00", "0.00", "12582.00"),
        ("Setting up", "270.00", "13.50", "283.50"),
        ("Delivery", "50.00", "0.00", "50.00"),
    ]
    assert lines.json["amount"] == "12915.50"
    assert ask("PATCH", path, json={"amount": 1}).status_code == 409
    more = ask("POST", f"{path}/lines", json={"name": "Gift", "price": 0.5})
    assert (more.status_code, more.json["amount"], len(more.json["items"])) == (201, "12916.00", 4)
    assert ask("POST", f"{path}/stage", json={"stage": "offer"}).json["stage"] == "offer"
    assert wrong(ask("POST", f"{path}/stage", json={"stage": "lost"})) == {"/reason"}
    lost = ask("POST", f"{path}/stage", json={"stage": "lost", "reason": "price", "note": "too dear"}).json
    assert (lost["state"], lost["closing_reason"], lost["closed_at"] is not None) == ("lost", "price", True)
    won = ask("PATCH", path, json={"stage": "won"}).json
    assert (won["state"], won["closing_reason"], won["probability"]) == ("won", None, 100)
    stays = ask("GET", f"{path}/stages").json["items"]
    assert [s["stage"] for s in stays] == ["new", "offer", "lost", "won"]
    for query in (
        "state=won",
        "pipeline=sales",
        "stage=won",
        f"contact={rui['id']}",
        f"contact={eva['id']}",
        "owner=ana@acme.test",
        f"q={deal['number']}",
    ):
        assert ids(ask("GET", f"/deals?{query}")) == [deal["id"]], query
    assert ids(ask("GET", "/deals?state=open")) == []
    theirs = ask("GET", f"/contacts/{eva['id']}/timeline").json["items"]
    assert any(e["kind"] == "stage_changed" for e in theirs)
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", f"{path}/lines").status_code == 404


def test_products_have_variants_and_one_number_each(ask: Ask) -> None:
    cup = made(ask, "/products", name="Cup", sku="CUP", prices={"BRL": "12.5", "USD": 3}, section="Tableware")
    assert cup["prices"] == {"BRL": "12.50", "USD": "3.00"}
    red = made(ask, "/products", name="Red cup", sku="CUP-R", parent_id=cup["id"], options={"colour": "red"})
    assert ids(ask("GET", f"/products?parent={cup['id']}")) == [red["id"]]
    assert ids(ask("GET", "/products?section=Tableware&q=cup&active=true")) == [cup["id"]]
    assert ask("POST", "/products", json={"name": "x", "sku": "CUP"}).status_code == 409
    line = made(ask, "/deals", title="Cups", lines=[{"product_id": red["id"], "quantity": 10}])
    assert line["amount"] == "125.00"  # a variant without a price has its product's
    assert ask("DELETE", f"/products/{red['id']}").status_code == 409
    assert ask("PATCH", f"/products/{red['id']}", json={"active": False}).json["active"] is False
    assert wrong(ask("PATCH", f"/products/{cup['id']}", json={"parent_id": red["id"]})) == {"/parent_id"}


def test_pipelines_and_reasons_are_told(ask: Ask) -> None:
    (line,) = ask("GET", "/pipelines").json["items"]
    assert [s["key"] for s in line["stages"]] == ["new", "offer", "won", "lost"]
    assert [r["key"] for r in ask("GET", "/reasons").json["junk"]] == ["supplier"]


def test_a_lead_is_worked_converted_and_reopened(ask: Ask) -> None:
    lead = made(ask, "/leads", name="Maria Souza", email="maria@sol.test", company="Padaria Sol")
    path = f"/leads/{lead['id']}"
    made(ask, "/companies", name="Padaria Sol Ltda")
    assert wrong(ask("PATCH", path, json={"status": "contacted"})) == {"/phone"}
    changed = ask("PATCH", path, json={"status": "contacted", "phone": "11987654321", "tags": ["hot"], "score": 7, "owner": "clara@acme.test", "fields": {"segment": "small"}})  # fmt: skip
    assert changed.status_code == 200, changed.text
    told = changed.json
    assert (told["status"], told["phone"], told["tags"], told["score"]) == (
        "contacted",
        "+5511987654321",
        ["hot"],
        7,
    )
    assert (told["owner"]["email"], told["fields"]) == ("clara@acme.test", {"segment": "small"})
    assert ids(ask("GET", "/leads?status=contacted")) == [lead["id"]]
    assert wrong(ask("GET", "/leads?status=nothing")) == {"status"}
    assert wrong(ask("PATCH", path, json={"status": "junk", "reason": "x"})) == {"/reason"}
    (candidate,) = ask("GET", f"{path}/duplicates").json["items"]
    assert (candidate["kind"], candidate["name"]) == ("company", "Padaria Sol Ltda")
    refused = ask("POST", f"{path}/convert", json={"into": ["contact", "company"], "duplicates": "refuse"})
    assert refused.status_code == 409
    assert refused.json["candidates"][0]["id"] == candidate["id"]
    into = {
        "into": ["contact", "deal"],
        "company_id": candidate["id"],
        "deal": {"title": "Ovens", "amount": "100"},
    }
    converted = ask("POST", f"{path}/convert", json=into)
    assert converted.status_code == 200, converted.text
    found = converted.json
    assert (found["lead"]["status"], found["lead"]["contact_id"]) == ("converted", found["contact_id"])
    assert (found["deal"]["title"], found["deal"]["amount"], found["deal"]["lead_id"]) == (
        "Ovens",
        "100.00",
        lead["id"],
    )
    assert found["deal"]["company_id"] == found["contact"]["company_id"] == candidate["id"]
    assert ask("POST", f"{path}/convert", json={}).status_code == 409
    assert ask("PATCH", path, json={"status": "new"}).status_code == 409
    kinds = {e["kind"] for e in ask("GET", f"/deals/{found['deal_id']}/timeline").json["items"]}
    assert {"submission", "assigned", "deal_created", "converted"} <= kinds
    assert ids(ask("GET", f"/deals/{found['deal_id']}/activities"))
    assert ids(ask("GET", f"/deals?lead={lead['id']}")) == [found["deal_id"]]
    assert ask("POST", f"{path}/reopen").json["status"] == "in_progress"
    assert ask("PATCH", path, json={"status": "junk", "reason": "supplier"}).json["status"] == "junk"


def test_an_entry_is_pinned_and_comments_stand_on_every_element(ask: Ask) -> None:
    deal = made(ask, "/deals", title="Ovens")
    entry = ask("POST", f"/deals/{deal['id']}/comments", json={"text": "Call again"})
    assert entry.status_code == 201
    assert ask("POST", f"/timeline/{entry.json['id']}/pin", json={}).json["pinned"] is True
    assert ids(ask("GET", f"/deals/{deal['id']}/timeline?pinned=true")) == [entry.json["id"]]
    assert ids(ask("GET", f"/deals/{deal['id']}/timeline?kind=comment")) == [entry.json["id"]]
    assert ask("POST", "/timeline/999/pin", json={}).status_code == 404


@pytest.mark.parametrize("path", ["/contacts", "/companies", "/deals", "/products"])
def test_whoever_may_only_read_makes_nothing(ask: Ask, path: str) -> None:
    assert ask("GET", path, role="read-only").status_code == 200
    assert ask("POST", path, role="read-only", json={"name": "x"}).status_code == 403
    assert ask("PATCH", f"{path}/1", role="read-only", json={}).status_code == 403
    assert ask("DELETE", f"{path}/1", role="read-only").status_code == 403
