"""Deals in the console: made, changed, moved from stage to stage, with their lines."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import db
from crm import companies, contacts, deal_lines, deals
from models.deal import Deal
from models.user import Role, User
from tests.console.conftest import token
from tests.factories import configure

HOSTILE = "<script>alert(1)</script>"
CRM = """
workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, locale: pt_BR, currency: BRL}
currencies: [{code: USD, rate: 5}]
closing_reasons: [{key: price, name: Too dear, group: lost}]
pipelines:
  - key: sales
    stages: [{key: new, name: New}, {key: won, group: won}, {key: lost, group: lost, reason_required: true}]
fields:
  - {key: budget, on: [deal], type: money}
  - {key: visit, on: [deal], type: datetime}
  - {key: uses, on: [deal], type: choices, choices: [bread, cake]}
  - {key: big, on: [deal], type: flag, required: true}
products: [{sku: OVEN, name: Oven, prices: {BRL: 100}}]
"""


@pytest.fixture(autouse=True)
def crm(people: dict[str, int]) -> None:
    configure(CRM)
    with db.unit_of_work() as session:
        company = companies.create(session, name=f"Sol {HOSTILE}", actor="t")
        contacts.create(session, name="Maria Souza", emails=["m@sol.test"], actor="t", company_id=company.id)
        contacts.create(session, name="Rui Prado", emails=["rui@sol.test"], actor="t")


def post(client: FlaskClient, path: str, page: str = "", **form: Any) -> Any:
    shown = client.get(page or path)
    seen = dict(re.findall(r'name="(seen)" value="([^"]+)"', shown.text))
    return client.post(path, data={"csrf_token": token(shown), **seen, **form})


def only() -> Deal:
    with db.reading() as session:
        row = session.get_one(Deal, 1)
        assert (row.contacts, row.lines, row.stays, row.stage.key) is not None
        return row


FORM = {
    "title": "Ovens", "amount": "1.234,50", "currency": "USD", "probability": "40 %", "expected_close": "2027-01-31",
    "owner": "bruno@acme.test", "tags": "fair, fair, 2026", "contact": "Maria Souza #1", "company": "",
    "part": ["rui@sol.test", ""], "role": ["decides", ""], "field-budget": "R$ 5.000,00", "field-big": "yes",
    "field-visit": "2026-12-03T09:00", "field-uses": ["bread", "cake"],
}  # fmt: skip


def test_a_deal_is_made_by_hand_and_changed(ana: FlaskClient) -> None:
    assert "Maria Souza #1" in ana.get("/new-deal?contact=1").text
    made = post(ana, "/new-deal", **FORM)
    assert (made.status_code, made.headers.get("Location")) == (303, "/deals/1"), made.text
    row = only()
    assert (row.amount, row.currency, row.probability, str(row.expected_close)) == (
        Decimal("1234.50"), "USD", 40, "2027-01-31"
    )  # fmt: skip
    assert (row.contact_id, row.company_id, row.owner_id, row.tags) == (1, 1, 2, ["fair", "2026"])
    assert [(part.contact_id, part.role) for part in row.contacts] == [(2, "decides")]
    assert row.fields == {
        "budget": "5000.00 BRL", "big": True, "visit": "2026-12-03T12:00:00+00:00", "uses": ["bread", "cake"]
    }  # fmt: skip
    page = ana.get("/deals/1").text
    for words in ("40 %", "2027-01-31", "1,234.50 USD", "Rui Prado", "decides"):
        assert words in page, words
    assert HOSTILE not in page
    form = ana.get("/deals/1/change").text
    for words in ('value="2026-12-03T09:00"', "Rui Prado #2", 'value="1234.5"'):
        assert words in form, words
    changed = {**FORM, "title": "Two ovens", "field-big": "", "part": [], "role": [], "amount": "10"}
    assert post(ana, "/deals/1/change", **changed).status_code == 303
    assert (only().title, only().contacts, "big" in only().fields) == ("Two ovens", [], False)
    stale = post(ana, "/deals/1/change", **{**FORM, "seen": "x"})
    assert (stale.status_code, "changed it meanwhile" in stale.text) == (422, True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"amount": "1,234"}, "amount"),
        ({"probability": "101"}, "probability"),
        ({"expected_close": "someday"}, "expected_close"),
        ({"contact": "Nobody"}, "contact"),
        ({"contact": "Maria Souza #99"}, "contact"),
        ({"part": ["Nobody"], "role": [""]}, "parts-0"),
        ({"owner": "x@acme.test"}, "owner"),
        ({"currency": "EUR"}, "currency"),
        ({"field-budget": "lots"}, "field-budget"),
        ({"field-big": ""}, "field-big"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field(
    ana: FlaskClient, change: dict[str, Any], field: str
) -> None:
    answer = post(ana, "/new-deal", **(FORM | change))
    assert (answer.status_code, f'id="{field}-wrong"' in answer.text) == (422, True)
    assert "Ovens" in answer.text or field == "title"
    assert ana.get("/deals/1").status_code == 404


def test_a_deal_is_moved_won_and_lost_with_a_reason(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        deals.create(session, title="Ovens", actor="t", custom={"big": True})
    refused = post(ana, "/deals/1/stage", "/deals/1", stage="sales/lost", reason="")
    assert (refused.status_code, only().state.value) == (422, "open")
    moved = post(
        ana, "/deals/1/stage", "/deals/1", stage="sales/lost", reason="price", note="Too dear for them"
    )
    assert (moved.status_code, only().state.value, only().closing_reason) == (303, "lost", "price")
    assert "Too dear for them" in ana.get("/deals/1").text
    post(ana, "/deals/1/stage", "/deals/1", stage="sales/won")
    assert [stay.stage_id for stay in only().stays] == [1, 3, 2]
    assert "3 stages so far" in ana.get("/deals/1").text


def test_lines_are_products_and_things_by_hand(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        deals.create(session, title="Ovens", actor="t")
    empty = {"unit": "", "discount_type": "percent", "tax_rate": "", "tax_included": ""}
    rows = [
        {**empty, "product": "OVEN", "name": "", "quantity": "2", "price": "", "discount": "10"},
        {**empty, "product": "", "name": f"Gift {HOSTILE}", "quantity": "1,5", "price": "10", "discount": "5",
         "discount_type": "amount", "tax_rate": "10", "tax_included": "yes"},
        {**empty, "product": "", "name": "", "quantity": "", "price": "", "discount": ""},
    ]  # fmt: skip
    form = {name: [row[name] for row in rows] for name in rows[0]}
    more = post(ana, "/deals/1/lines", **form, do="more")
    assert (more.status_code, more.text.count('name="product"'), only().lines) == (200, 5, [])
    assert post(ana, "/deals/1/lines", **form, do="save").status_code == 303
    assert [(line.name[:4], line.total) for line in only().lines] == [("Oven", 180), ("Gift", 10)]
    page = ana.get("/deals/1").text
    assert ("190.00" in page, "less 5.00, with 10 % tax" in page, HOSTILE in page) == (True, True, False)
    assert "readonly" in ana.get("/deals/1/change").text
    for change, place in (
        ({"product": ["NONE", "", ""]}, "product-0"),
        ({"price": ["", "1,234", ""]}, "price-1"),
        ({"quantity": ["0", "1", ""]}, "quantity-0"),
        ({"discount": ["101", "5", ""]}, "discount-0"),
        ({"name": ["", "Gift", "Other"]}, "price-2"),
    ):
        wrong = post(ana, "/deals/1/lines", **(form | change), do="save")
        assert (wrong.status_code, f'id="{place}-wrong"' in wrong.text) == (422, True), place
    none = {name: ["", "", ""] for name in form}
    assert post(ana, "/deals/1/lines", **none, do="save").status_code == 303
    assert (only().lines, only().from_lines) == ([], False)


def test_a_line_is_closed_until_it_is_wanted_and_taken_away_by_a_tick(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        row = deals.create(session, title="Ovens", actor="t")
        given = [
            {"sku": "OVEN", "quantity": Decimal(2), "discount": Decimal(10)},
            {"name": HOSTILE, "price": Decimal(5)},
        ]
        made = [deal_lines.line(session, "BRL", one, field="x") for one in given]

    def opened(page: str) -> list[bool]:
        return [
            bool(found) for found in re.findall(r"<details( open)?>\s*<summary>(?:<span>|New line)", page)
        ]

    assert opened(ana.get("/deals/1/lines").text) == [True, False, False]
    with db.unit_of_work() as session:
        deal_lines.set_lines(session, session.get_one(Deal, row.id), made, actor="t")
    page = ana.get("/deals/1/lines").text
    assert opened(page) == [False] * 5
    assert re.search(r"<span>Oven</span> <span class=\"sub\">2 +× 100, less 10 %</span>", page)
    assert HOSTILE not in page
    form = {"product": ["OVEN", ""], "name": ["Oven", "Gift"], "quantity": ["2", "1"], "price": ["100", "x"]}
    wrong = post(ana, "/deals/1/lines", **form, do="save")
    assert (wrong.status_code, opened(wrong.text)) == (422, [False, True, False, False, False])
    assert opened(post(ana, "/deals/1/lines", **form, do="more").text) == [False, False, True, False, False]
    assert post(ana, "/deals/1/lines", **form, do="save", away=["1", "x", "99"]).status_code == 303
    assert [line.name for line in only().lines] == ["Oven"]
    assert post(ana, "/deals/1/lines", **form, do="save", away=["0", "1"]).status_code == 303
    assert only().lines == []


def test_there_is_no_card_of_details_where_there_is_none(ana: FlaskClient, people: dict[str, int]) -> None:
    with db.unit_of_work() as session:
        row = deals.create(session, title="Ovens", actor="t")
    assert "<h2>Details</h2>" not in ana.get("/deals/1").text
    with db.unit_of_work() as session:
        deals.set_contacts(session, session.get_one(Deal, row.id), [(2, "decides")], actor="t")
    assert "<h2>Details</h2>" in ana.get("/deals/1").text
    assert "<h2>Details</h2>" in ana.get("/contacts/1").text


def test_whoever_sees_a_part_names_nobody_else_s_contact(ana: FlaskClient, people: dict[str, int]) -> None:
    configure(CRM.replace("currency: BRL}", "currency: BRL, rights: {agent: {see: own, change: own}}}", 1))
    refused = post(ana, "/new-deal", **FORM)
    assert (refused.status_code, 'id="contact-wrong"' in refused.text) == (422, True)
    assert "Maria" not in ana.get("/new-deal?contact=1").text


def test_whoever_may_only_look_changes_no_deal(ana: FlaskClient, people: dict[str, int]) -> None:
    with db.unit_of_work() as session:
        row = deals.create(session, title="Ovens", actor="t")
        line = deal_lines.line(session, "BRL", {"sku": "OVEN"}, field="x")
        deal_lines.set_lines(session, row, [line], actor="t")
        session.get_one(User, people["ana"]).role = Role.READ_ONLY
    page = ana.get("/deals/1")
    assert ("Oven" in page.text, "/deals/1/change" in page.text, "Move" in page.text) == (True, False, False)
    for path in ("/new-deal", "/deals/1/change", "/deals/1/stage", "/deals/1/lines"):
        assert ana.post(path, data={"csrf_token": token(page)}).status_code == 403, path
        assert path.endswith("stage") or ana.get(path).status_code == 403, path
