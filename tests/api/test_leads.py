"""Leads over the API: found by every filter, paged to the end, made by hand."""

from __future__ import annotations

import urllib.parse
from datetime import timedelta
from typing import Any

import pytest

from core import clock, db
from models.lead import Lead, LeadStatus
from tests.api.conftest import Ask
from tests.factories import enquire

FIELDS = [
    "id",
    "number",
    "title",
    "status",
    "channel",
    "source",
    "owner",
    "name",
    "email",
    "phone",
    "company",
    "message",
    "score",
    "tags",
    "fields",
    "attribution",
    "created_at",
    "first_response_at",
    "contact_id",
    "company_id",
]


@pytest.fixture
def leads(ask: Ask, database: db.Database) -> dict[str, int]:
    """Three leads: Maria, Rui and a withheld caller's."""
    with database.unit_of_work() as session:
        maria = enquire(
            session, emails=("Maria@Client.test",), phones=("(11) 98765-4321",), company="100%_Ltda"
        ).lead
        rui = enquire(
            session, key="open", emails=("rui@client.test",), name="Rui", fields={"city": "Recife"}
        ).lead
        rui.tags = ["vip"]
        other = enquire(session, emails=(), phones=(), name="Nobody").lead
        other.status = LeadStatus.JUNK
        return {"maria": maria.id, "rui": rui.id, "other": other.id}


def test_a_lead_has_the_promised_fields(ask: Ask, leads: dict[str, int]) -> None:
    answer = ask("GET", f"/leads/{leads['maria']}")
    lead = answer.json
    assert lead is not None
    assert set(FIELDS) <= set(lead)
    assert (lead["email"], lead["phone"], lead["source"]) == (
        "Maria@client.test",
        "+5511987654321",
        "contact",
    )
    assert lead["owner"] == {"email": "ana@acme.test", "name": "Ana"}
    assert lead["created_at"].endswith("Z")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"maria", "rui", "other"}),
        ("email=MARIA@client.test", {"maria"}),
        ("email=nobody@client.test", set()),
        ("phone=%2B5511987654321", {"maria"}),
        ("phone=11987654321", {"maria"}),
        ("status=junk", {"other"}),
        ("owner=ana@acme.test", {"maria", "other"}),
        ("source=open", {"rui"}),
        ("channel=form", {"maria", "rui", "other"}),
        ("channel=call", set()),
        ("tag=vip", {"rui"}),
        ("q=SOUZA", {"maria"}),
        ("q=100%25_", {"maria"}),
        ("q=%25", {"maria"}),
        ("status=new&q=rui", {"rui"}),
        ("status=merged", set()),
    ],
)
def test_each_filter_finds_its_leads(ask: Ask, leads: dict[str, int], query: str, expected: set[str]) -> None:
    answer = ask("GET", f"/leads?{query}")
    assert answer.status_code == 200, answer.data
    assert answer.json is not None
    assert {lead["id"] for lead in answer.json["items"]} == {leads[name] for name in expected}


def test_leads_made_after_a_moment_are_found(ask: Ask, leads: dict[str, int]) -> None:
    soon = urllib.parse.quote((clock.now() + timedelta(minutes=1)).isoformat())
    before = urllib.parse.quote((clock.now() - timedelta(minutes=1)).isoformat())
    assert ask("GET", f"/leads?created_after={soon}").json == {"items": [], "next_cursor": None}
    found: Any = ask("GET", f"/leads?created_after={before}").json
    assert len(found["items"]) == 3


def test_pages_lead_to_the_end_without_gap_or_repeat_while_new_leads_come(
    ask: Ask, database: db.Database
) -> None:
    with database.unit_of_work() as session:
        for n in range(25):
            enquire(session, emails=(f"a{n}@client.test",))
    seen: list[int] = []
    cursor = ""
    while True:
        page: Any = ask("GET", f"/leads?limit=10{cursor}").json
        seen += [lead["id"] for lead in page["items"]]
        with database.unit_of_work() as session:
            enquire(session, emails=(f"late{len(seen)}@client.test",))
        if page["next_cursor"] is None:
            break
        cursor = "&cursor=" + urllib.parse.quote(page["next_cursor"])
    assert seen == list(range(25, 0, -1))


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "status=lost",
        "channel=x",
        "cursor=nonsense",
        "cursor=MTIz",
        "created_after=2026-01-01T00:00:00",
        "created_after=x",
        "colour=red",
        "email=x",
        "q=" + "x" * 5000,
    ],
)
def test_a_wrong_filter_is_named(ask: Ask, leads: dict[str, int], query: str) -> None:
    answer = ask("GET", f"/leads?{query}")
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert answer.json is not None
    assert query.split("=")[0] in str(answer.json["errors"])


@pytest.mark.parametrize("lead_id", ["0", "999", "-1", "x", "1.5", "9" * 30, "1%00", "%27"])
@pytest.mark.parametrize("rest", ["", "/timeline", "/trace", "/activities"])
def test_a_lead_that_is_not_there_is_a_404(ask: Ask, lead_id: str, rest: str) -> None:
    answer = ask("GET", f"/leads/{lead_id}{rest}")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_what_happened_why_and_what_is_next(ask: Ask, leads: dict[str, int]) -> None:
    timeline: Any = ask("GET", f"/leads/{leads['maria']}/timeline").json
    assert [e["kind"] for e in timeline["items"]] == ["activity_planned", "assigned", "submission"]
    trace: Any = ask("GET", f"/leads/{leads['maria']}/trace").json
    rule = trace["items"][0]["rules"][0]
    assert (rule["rule"], rule["matched"], [s["state"] for s in rule["steps"]]) == (
        "all",
        True,
        ["done", "done"],
    )
    activities: Any = ask("GET", f"/leads/{leads['maria']}/activities").json
    assert [a["lead_id"] for a in activities["items"]] == [leads["maria"]]
    listed: Any = ask("GET", f"/activities?lead={leads['maria']}&state=planned").json
    assert [a["id"] for a in listed["items"]] == [a["id"] for a in activities["items"]]


def test_a_lead_is_made_by_hand_and_routed_like_any_other(ask: Ask, database: db.Database) -> None:
    answer = ask(
        "POST", "/leads", json={"name": "Ana", "phone": "11 98765-4321", "fields": {"x": 1}, "tags": ["t"]}
    )
    assert answer.status_code == 201
    lead: Any = answer.json
    assert (lead["phone"], lead["channel"], lead["tags"], lead["fields"]) == (
        "+5511987654321",
        "api",
        ["t"],
        {"x": 1},
    )
    assert lead["owner"]["email"] == "ana@acme.test"
    (event,) = ask("GET", "/events").json["items"]  # type: ignore[index]
    assert (event["state"], event["source"], event["lead_id"]) == ("processed", "api", lead["id"])


def test_the_same_idempotency_key_makes_one_lead(ask: Ask, database: db.Database) -> None:
    key = {"Idempotency-Key": "k"}
    one = ask("POST", "/leads", json={"name": "Ana"}, headers=key)
    two = ask("POST", "/leads", json={"name": "Ana"}, headers=key)
    assert (one.status_code, one.json) == (two.status_code, two.json)
    assert ask("POST", "/leads", json={"name": "Rui"}, headers=key).status_code == 422
    with database.reading() as session:
        assert session.query(Lead).count() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"name": "x", "owner": "me"}, 422),
        ({"name": "x", "status": "converted"}, 422),
        ({"name": "x", "score": 99}, 422),
        ({"email": "nobody"}, 422),
        ({"phone": "call me"}, 422),
        ({"name": "x" * 5000}, 422),
        ({"name": "a\x00b"}, 422),
        ({"name": 5}, 422),
        ([], 422),
    ],
    ids=str,
)
def test_a_lead_that_does_not_fit_is_refused(ask: Ask, database: db.Database, body: Any, status: int) -> None:
    answer = ask("POST", "/leads", json=body)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    with database.reading() as session:
        assert session.query(Lead).count() == 0


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"x" * 2_000_000, "application/json", 413),
    ],
    ids=["broken", "form", "large"],
)
def test_a_body_that_is_no_json_is_refused(ask: Ask, data: bytes, content_type: str, status: int) -> None:
    answer = ask("POST", "/leads", data=data, content_type=content_type)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_a_comment_is_on_the_timeline(ask: Ask, leads: dict[str, int]) -> None:
    assert ask("POST", f"/leads/{leads['rui']}/comments", json={"text": "called"}).status_code == 201
    timeline: Any = ask("GET", f"/leads/{leads['rui']}/timeline").json
    assert timeline["items"][0]["kind"] == "comment"
    assert "called" in str(timeline["items"][0])
    assert ask("POST", "/leads/999/comments", json={"text": "x"}).status_code == 404
