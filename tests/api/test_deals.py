"""Deals over the API, line by line of what a sales team needs of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.answers import made, wrong
from tests.api.conftest import Ask
from tests.factories import WORKSPACE, configure

SET_UP = """
currencies: [{code: USD, rate: 5.1}, {code: JPY, rate: 0.034, decimals: 0}]
units: [{key: piece}, {key: hour}]
closing_reasons: [{key: price, group: lost}, {key: other, group: lost}, {key: fit, group: won}]
pipelines:
  - key: sales
    stages:
      - {key: new, probability: 10}
      - {key: offer, probability: 60}
      - {key: won, group: won}
      - {key: lost, group: lost, reason_required: true}
  - {key: service, stages: [{key: asked}, {key: won, group: won}, {key: lost, group: lost}]}
products:
  - {sku: OVEN, name: Oven, unit: piece, prices: {BRL: 100, USD: 19.99, JPY: 2950.4}}
  - {sku: OVEN-L, name: Large oven, variant_of: OVEN, options: {size: L}, unit: piece}
  - {sku: OLD, name: Old oven, prices: {BRL: 50}}
"""


@pytest.fixture(autouse=True)
def crm(client: Any) -> None:
    configure(WORKSPACE + SET_UP)


def lines(ask: Ask, deal: dict[str, Any]) -> list[dict[str, Any]]:
    return list(ask("GET", f"/deals/{deal['id']}/lines").json["items"])


def test_a_contact_and_a_company_have_any_number_of_deals(ask: Ask) -> None:
    company = made(ask, "/companies", name="Sol")["id"]
    rui = made(ask, "/contacts", name="Rui", company_id=company)["id"]
    eva = made(ask, "/contacts", name="Eva")["id"]
    deals = [made(ask, "/deals", title=f"D{n}", contact_id=rui)["id"] for n in range(3)]
    parts = [{"contact_id": eva, "role": "decides"}, {"contact_id": rui, "role": "himself"}]
    ask("PATCH", f"/deals/{deals[0]}", json={"contacts": parts})
    assert [d["id"] for d in ask("GET", f"/deals?company={company}").json["items"]] == deals[::-1]
    assert [d["id"] for d in ask("GET", f"/deals?contact={rui}").json["items"]] == deals[::-1]
    (with_eva,) = ask("GET", f"/deals?contact={eva}").json["items"]
    assert with_eva["contacts"] == [{"contact_id": eva, "role": "decides"}]


def test_an_amount_is_rounded_as_its_currency_is(ask: Ask) -> None:
    for currency, written, kept in (
        ("BRL", "10.005", "10.01"),
        ("JPY", "10.5", "11.00"),
        ("USD", "0.994", "0.99"),
    ):
        assert made(ask, "/deals", title="A", currency=currency, amount=written)["amount"] == kept
    yen = made(
        ask, "/deals", title="B", currency="JPY", lines=[{"sku": "OVEN", "quantity": 3, "tax_rate": 10}]
    )
    (line,) = lines(ask, yen)
    assert (line["price"], line["net"], line["tax"], line["total"]) == (
        "2950.40",
        "8851.00",
        "885.00",
        "9736.00",
    )
    assert yen["amount"] == "9736.00"


def test_a_line_has_its_product_s_price_unit_and_tax_or_its_own(ask: Ask) -> None:
    items = [
        {"sku": "OVEN-L", "quantity": "2"},
        {"sku": "OVEN", "price": "90", "discount": "10", "tax_rate": "20"},
        {"sku": "OVEN", "price": "120", "discount": "20", "discount_type": "amount", "tax_rate": 25, "tax_included": True},
    ]  # fmt: skip
    deal = made(ask, "/deals", title="A", currency="USD", lines=items)
    told = [(x["name"], x["unit"], x["price"], x["net"], x["tax"], x["total"]) for x in lines(ask, deal)]
    assert told == [
        ("Large oven", "piece", "19.99", "39.98", "0.00", "39.98"),
        ("Oven", "piece", "90.00", "81.00", "16.20", "97.20"),
        ("Oven", "piece", "120.00", "80.00", "20.00", "100.00"),
    ]
    assert deal["amount"] == "237.18"


def test_lines_keep_their_currency_until_others_take_their_place(ask: Ask) -> None:
    deal = made(ask, "/deals", title="A", lines=[{"sku": "OVEN"}])
    path = f"/deals/{deal['id']}"
    refused = ask("PATCH", path, json={"currency": "USD"})
    assert (refused.status_code, "priced in BRL" in refused.text) == (409, True)
    changed = ask("PATCH", path, json={"currency": "USD", "lines": [{"sku": "OVEN", "quantity": 2}]})
    assert (changed.json["currency"], changed.json["amount"]) == ("USD", "39.98")
    by_hand = ask("PATCH", path, json={"currency": "BRL", "lines": []}).json
    assert (by_hand["from_lines"], by_hand["currency"]) == (False, "BRL")
    assert ask("PATCH", path, json={"amount": 7}).json["amount"] == "7.00"


def test_nothing_is_sold_for_less_than_nothing_or_after_it_was_switched_off(ask: Ask) -> None:
    deal = made(ask, "/deals", title="A", lines=[{"sku": "OLD"}])
    (old,) = ask("GET", "/products?sku=OLD").json["items"]
    ask("PATCH", f"/products/{old['id']}", json={"active": False})
    path = f"/deals/{deal['id']}/lines"
    kept = ask("PUT", path, json={"items": [{"sku": "OLD", "quantity": 2}]})
    assert (kept.status_code, kept.json["amount"]) == (200, "100.00")
    assert wrong(ask("POST", "/deals", json={"title": "B", "lines": [{"sku": "OLD"}]})) == {"/lines/0/sku"}
    line = {"sku": "OVEN", "discount": "100.01", "discount_type": "amount"}
    assert wrong(ask("PUT", path, json={"items": [line]})) == {"/lines/0/discount"}


def test_a_deal_is_closed_for_a_reason_where_its_stage_wants_one(ask: Ask) -> None:
    path = f"/deals/{made(ask, '/deals', title='A', probability=35, expected_close='2027-01-31')['id']}"
    assert wrong(ask("PATCH", path, json={"stage": "lost"})) == {"/reason"}
    assert wrong(ask("PATCH", path, json={"stage": "lost", "reason": "fit"})) == {"/reason"}
    lost = ask("PATCH", path, json={"stage": "lost", "reason": "price"}).json
    assert (lost["state"], lost["closing_reason"]) == ("lost", "price")
    again = ask("PATCH", path, json={"reason": "other"}).json
    assert (again["closing_reason"], again["closed_at"]) == ("other", lost["closed_at"])
    assert wrong(ask("PATCH", path, json={"reason": "nothing"})) == {"/reason"}
    told = ask("GET", f"{path}/timeline?kind=changed").json["items"]
    assert told[0]["summary"] == "closing reason: price → other"
    other = ask("POST", f"{path}/stage", json={"stage": "asked", "pipeline": "service"}).json
    assert (other["pipeline"], other["state"], other["closing_reason"]) == ("service", "open", None)
    stays = ask("GET", f"{path}/stages").json["items"]
    assert [s["stage"] for s in stays] == ["new", "lost", "asked"]
    assert [s["left_at"] is None for s in stays] == [False, False, True]
