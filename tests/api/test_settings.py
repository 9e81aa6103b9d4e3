"""What a workspace is set up with, line by line, over the API alone, and what each of it does."""

from __future__ import annotations

import io
from typing import Any

import pytest

from core import clock, db
from core.ids import new_id
from models.attachment import Attachment
from models.user import Role
from tests.api.answers import made, wrong
from tests.api.conftest import Ask

FIELD_TYPES = {
    "text": ("oak", 7),
    "number": (1.5, "many"),
    "money": ("12.50 BRL", "lots"),
    "date": ("2026-01-31", "soon"),
    "datetime": ("2026-01-31T12:00:00+00:00", "2026-01-31T09:00:00"),
    "choice": ("a", "c"),
    "choices": (["a", "b"], ["c"]),
    "flag": (True, "yes"),
    "link": ("https://acme.test/x", "javascript:alert(1)"),
    "user": ("ana@acme.test", "nobody@acme.test"),
    "reference": (1, 99),
    "file": (1, 99),
}
MORE: dict[str, dict[str, Any]] = {
    "choice": {"choices": ["a", "b"]},
    "choices": {"choices": ["a", "b"]},
    "reference": {"to": "contact"},
}


def amend(ask: Ask, **settings: Any) -> list[str]:
    told = ask("PATCH", "/workspace", json={"settings": settings})
    assert told.status_code == 200, told.text
    again = ask("PATCH", "/workspace", json={"settings": settings})
    assert again.json["changes"] == []
    for part, value in settings.items():
        if isinstance(value, list):
            assert len(told.json["settings"][part]) == len(value), part
    return [c["what"] for c in told.json["changes"]]


@pytest.mark.parametrize("kind", list(FIELD_TYPES))
def test_a_field_of_each_kind_is_checked_and_required_by_a_stage_and_a_status(ask: Ask, kind: str) -> None:
    right, mistake = FIELD_TYPES[kind]
    made(ask, "/contacts", name="Ana")
    if kind == "file":
        lead = made(ask, "/leads", name="Eva", email="eva@x.test")
        attach(ask, lead["id"])
    field = {"key": "x", "on": ["lead", "deal", "contact", "company"], "type": kind, **MORE.get(kind, {})}
    stages = [
        {"key": "new"}, {"key": "offer", "requires": ["fields.x"]}, {"key": "won", "group": "won"},
        {"key": "lost", "group": "lost"},
    ]  # fmt: skip
    amend(
        ask,
        fields=[field],
        pipelines=[{"key": "sales", "stages": stages}],
        lead_statuses=[{"key": "warm", "requires": ["fields.x"]}],
    )
    deal, lead = made(ask, "/deals", title="D"), made(ask, "/leads", name="Rui", email="rui@x.test")
    places = {"/deals": deal["id"], "/leads": lead["id"], "/contacts": 1}
    places["/companies"] = made(ask, "/companies", name="Sol")["id"]
    assert wrong(ask("POST", f"/deals/{deal['id']}/stage", json={"stage": "offer"})) == {"/fields/x"}
    assert wrong(ask("PATCH", f"/leads/{lead['id']}", json={"status": "warm"})) == {"/fields/x"}
    for place, row_id in places.items():
        path = f"{place}/{row_id}"
        assert wrong(ask("PATCH", path, json={"fields": {"x": mistake}})) == {"/fields/x"}, place
        assert ask("PATCH", path, json={"fields": {"x": right}}).json["fields"]["x"] == right, place
    assert ask("POST", f"/deals/{deal['id']}/stage", json={"stage": "offer"}).status_code == 200
    assert ask("PATCH", f"/leads/{lead['id']}", json={"status": "warm"}).json["status"] == "warm"


def attach(ask: Ask, lead_id: int) -> None:
    with db.unit_of_work() as session:
        session.add(
            Attachment(
                lead_id=lead_id, event_id=new_id(), position=0, name="a.pdf", kind="application/pdf", size=1,
                digest="0" * 64, place="x", created_at=clock.now(),
            )
        )  # fmt: skip


def test_own_sources_and_tags_are_said_of_leads_deals_and_files(ask: Ask) -> None:
    sources = [{"key": "fair", "name": "Bakery fair"}, {"key": "word", "name": "Recommended"}]
    assert amend(ask, sources=sources, tags=[{"name": "vip", "about": "Buys much"}]) == [
        "source fair", "source word", "tags (1)"
    ]  # fmt: skip
    assert ask("GET", "/tags").json["items"] == [{"name": "vip", "about": "Buys much"}]
    lead = made(ask, "/leads", name="Ana", email="ana@x.test", source="fair")
    assert (lead["source"], lead["channel"]) == ("fair", "api")
    deal = made(ask, "/deals", title="D", source="word")
    assert deal["source"] == "word"
    assert ask("PATCH", f"/deals/{deal['id']}", json={"source": "contact"}).json["source"] == "contact"
    assert ask("PATCH", f"/deals/{deal['id']}", json={"source": None}).json["source"] is None
    for there in ("/contacts", "/companies"):
        one = made(ask, there, name="x", source="word")
        assert one["source"] == "word"
        assert ask("PATCH", f"{there}/{one['id']}", json={"source": "contact"}).json["source"] == "contact"
        assert ask("PATCH", f"{there}/{one['id']}", json={"source": None}).json["source"] is None
    for path, body in (
        ("/leads", {"name": "x", "source": "contact"}),
        ("/contacts", {"name": "x", "source": "none"}),
        ("/companies", {"name": "x", "source": "none"}),
        ("/deals", {"title": "x", "source": "none"}),
    ):
        assert wrong(ask("POST", path, json=body)) == {"/source"}
    file = {"file": (io.BytesIO(b"Name,Email,Source\nBia,bia@x.test,Bakery fair\n"), "f.csv")}
    columns = ask("POST", "/imports", data=file).json["columns"]
    assert [c["target"] for c in columns] == ["name", "email", "source"]
    amend(ask, sources=sources[:1])
    assert wrong(ask("POST", "/deals", json={"title": "x", "source": "word"})) == {"/source"}
    assert ask("GET", f"/leads/{lead['id']}").json["source"] == "fair"


def test_numbers_currencies_units_taxes_and_kinds_of_activity_are_used(ask: Ask) -> None:
    amend(
        ask,
        numbers={"deal": "{year}/{number:03}"},
        currencies=[{"code": "EUR", "rate": 6, "decimals": 2}],
        units=[{"key": "box"}],
        taxes=[{"key": "vat", "rate": 19, "included": True}],
        products=[{"sku": "A", "name": "A", "unit": "box", "tax": "vat", "prices": {"EUR": 119}}],
        activity_types=[{"key": "visit", "outcomes": ["bought", "thinks"]}],
    )
    deal = made(ask, "/deals", title="D", currency="EUR", lines=[{"sku": "A"}])
    assert deal["number"].endswith(f"/{deal['id']:03}")
    (line,) = ask("GET", f"/deals/{deal['id']}/lines").json["items"]
    assert (line["unit"], line["net"], line["tax"]) == ("box", "100.00", "19.00")
    due = "2030-01-31T09:00:00Z"
    visit = made(ask, "/activities", type="visit", subject="S", due_at=due, deal_id=deal["id"])
    done = f"/activities/{visit['id']}/complete"
    assert wrong(ask("POST", done, json={"outcome": "nothing"})) == {"/outcome"}
    assert ask("POST", done, json={"outcome": "bought"}).status_code == 200


def test_a_role_sees_its_own_its_teams_or_all_and_the_mode_changes_nothing(ask: Ask) -> None:
    for see in ("own", "team", "all"):
        amend(ask, workspace={"rights": {Role.AGENT.value: {"see": see, "change": "own"}}})
    lead = made(ask, "/leads", name="Ana", email="ana@x.test")
    before = ask("GET", f"/leads/{lead['id']}").json
    for mode in ("simple", "classic"):
        amend(ask, workspace={"mode": mode})
        assert ask("GET", f"/leads/{lead['id']}").json == before
