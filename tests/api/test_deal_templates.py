"""Deals that come again, over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core import clock
from tests.api.answers import made, wrong
from tests.api.conftest import Ask
from tests.factories import NOON, WORKSPACE, configure
from worker import deal_templates as worker

FIRST = "2026-11-30T12:00:00Z"


@pytest.fixture(autouse=True)
def at_noon(client: Any) -> Any:
    configure(WORKSPACE)
    with clock.frozen(NOON):
        yield


def deal(ask: Ask, **more: Any) -> int:
    lines = [{"name": "Rent", "quantity": "1.5", "price": "10"}]
    return int(made(ask, "/deals", title="Rent", lines=lines, **more)["id"])


def test_a_template_is_made_read_changed_and_deleted(ask: Ask) -> None:
    deal_id = deal(ask, owner="ana@acme.test", tags=["rent"])
    row = made(ask, "/deal-templates", deal_id=deal_id, rule="rrule:freq=monthly;count=3", first_at=FIRST)
    assert (row["rule"], row["words"], row["zone"]) == (
        "FREQ=MONTHLY;COUNT=3", "Every month, 3 times", "America/Sao_Paulo",
    )  # fmt: skip
    assert (row["next_at"], row["paused"], row["ended_at"], row["made"]) == (FIRST, False, None, 0)
    assert (row["pipeline"], row["stage"], row["amount"], row["owner"]["name"]) == (
        "sales",
        "new",
        "15.00",
        "Ana",
    )
    assert (row["name"], row["last_deal_id"], row["lines"][0]["quantity"]) == ("Rent", deal_id, "1.5")
    assert ask("GET", f"/deals/{deal_id}").json["template_id"] == row["id"]

    with clock.frozen(NOON + timedelta(days=7)):
        assert worker.make_due() == 1
    path = f"/deal-templates/{row['id']}"
    told = ask("GET", path)
    (newest, first) = ask("GET", f"/deals?template={row['id']}").json["items"]
    assert (told.json["made"], told.json["last_deal_id"], first["id"]) == (1, newest["id"], deal_id)
    assert told.json["next_at"] == "2026-12-30T12:00:00Z"

    assert wrong(ask("PATCH", path, json={"paused": True}, headers={"If-Match": '"old"'}), 412) == set()
    changed = ask(
        "PATCH", path, json={"next_at": "2027-01-05T12:00:00Z"}, headers={"If-Match": told.headers["ETag"]}
    )
    assert (changed.status_code, changed.json["rule"]) == (200, "FREQ=MONTHLY;COUNT=2")
    assert changed.headers["ETag"] != told.headers["ETag"]
    assert ask("PATCH", path, json={"paused": True}).json["paused"] is True
    assert ask("DELETE", path, headers={"If-Match": told.headers["ETag"]}).status_code == 412
    assert ask("DELETE", path).status_code == 204
    assert (ask("GET", path).status_code, ask("DELETE", path).status_code) == (404, 404)
    assert [d["template_id"] for d in ask("GET", "/deals").json["items"]] == [None, None]


def test_templates_are_listed_and_filtered(ask: Ask) -> None:
    ids = []
    for owner in ("ana@acme.test", "bruno@acme.test"):
        body = {"deal_id": deal(ask, owner=owner), "rule": "FREQ=DAILY;COUNT=1", "first_at": FIRST}
        ids.append(made(ask, "/deal-templates", **body)["id"])
    ask("PATCH", f"/deal-templates/{ids[0]}", json={"next_at": "2026-11-24T12:00:00Z"})
    with clock.frozen(NOON + timedelta(days=2)):
        worker.make_due()

    def listed(query: str) -> list[int]:
        return [item["id"] for item in ask("GET", f"/deal-templates{query}").json["items"]]

    assert listed("") == ids[::-1]
    assert (listed("?going=true"), listed("?going=false")) == ([ids[1]], [ids[0]])
    assert listed("?owner=ANA@acme.test") == [ids[0]]


def test_what_is_not_acceptable_is_pointed_at(ask: Ask) -> None:
    deal_id = deal(ask)
    good = {"deal_id": deal_id, "rule": "FREQ=MONTHLY", "first_at": FIRST}
    for bad, fields in (
        ({"deal_id": 999}, {"/deal_id"}),
        ({"deal_id": "x"}, {"/deal_id"}),
        ({"rule": "FREQ=SECONDLY", "zone": "Mars", "first_at": "2020-01-01T00:00:00Z"}, {"/rule", "/zone", "/first_at"}),
        ({"rule": "FREQ=DAILY;" * 500}, {"/rule"}),
        ({"rule": None}, {"/rule"}),
        ({"first_at": "2026-11-30"}, {"/first_at"}),
        ({"stage": "nowhere"}, {"/stage"}),
        ({"title": "x"}, {"/title"}),
    ):  # fmt: skip
        assert wrong(ask("POST", "/deal-templates", json={**good, **bad})) == fields, bad
    template = made(ask, "/deal-templates", **good)
    again = ask("POST", "/deal-templates", json=good)
    assert (again.status_code, str(template["id"]) in again.json["detail"]) == (409, True)
    path = f"/deal-templates/{template['id']}"
    for body, fields in (
        ({"rule": "FREQ=HOURLY"}, {"/rule"}),
        ({"next_at": "2026-11-01T00:00:00Z"}, {"/next_at"}),
        ({"paused": None}, {"/paused"}),
        ({"zone": "Nowhere/At/All"}, {"/zone"}),
        ({"made": 7}, {"/made"}),
    ):
        assert wrong(ask("PATCH", path, json=body)) == fields, body
    assert ask("GET", path).json == template
