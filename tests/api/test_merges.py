"""Merging through the API and the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from boot.commands import merging as commands
from core import db
from tests.api.conftest import Ask
from tests.factories import enquire


def made(ask: Ask, plural: str, **body: object) -> int:
    return int(ask("POST", f"/{plural}", json=body).json["id"])


def test_contacts_are_merged_by_choice_and_parted_again(ask: Ask) -> None:
    one = made(ask, "contacts", name="Maria Souza", emails=["m@a.test"], fields={"size": 1})
    two = made(ask, "contacts", name="M. Souza", emails=["m@b.test"], position="Buyer", fields={"size": 2})
    deal = made(ask, "deals", title="Ovens", contact_id=two)
    version = ask("GET", f"/contacts/{one}").headers["ETag"]
    theirs = ask("GET", f"/contacts/{two}").headers["ETag"]
    ask("PATCH", f"/contacts/{one}", json={"tags": ["vip"]})
    body = {"other": two, "choose": {"name": "other", "fields.size": "other"}, "other_version": theirs}
    stale = ask("POST", f"/contacts/{one}/merge", json=body, headers={"If-Match": version})
    assert stale.status_code == 412
    fresh = ask("GET", f"/contacts/{one}").headers["ETag"]
    assert ask("POST", f"/contacts/{one}/merge", json=body | {"other_version": '"x"'}).status_code == 412
    done = ask("POST", f"/contacts/{one}/merge", json=body, headers={"If-Match": fresh})
    assert done.status_code == 200, done.json
    assert done.headers["ETag"] == ask("GET", f"/contacts/{one}").headers["ETag"]
    assert done.json["changed"]["name"] == {"before": "Maria Souza", "after": "M. Souza"}
    assert done.json["moved"]["deal"] == 1
    merged = ask("GET", f"/contacts/{two}")
    assert (merged.json["id"], merged.json["position"], merged.json["fields"]) == (one, "Buyer", {"size": 2})
    assert merged.headers["Content-Location"].endswith(f"/contacts/{one}")
    assert ask("GET", f"/deals/{deal}").json["contact_id"] == one
    kinds = {e["kind"] for e in ask("GET", f"/contacts/{two}/timeline").json["items"]}
    assert {"merged", "contact_created"} <= kinds
    assert ask("PATCH", f"/contacts/{two}", json={"tags": []}).status_code == 409
    assert ask("DELETE", f"/contacts/{one}").status_code == 409
    assert ask("POST", f"/contacts/{two}/merge", json={"other": one}).status_code == 409  # a cycle
    number = done.json["id"]
    assert [
        m["id"] for m in ask("GET", f"/merges?kind=contact&element={two}&undone=false").json["items"]
    ] == [number]
    assert ask("POST", f"/merges/{number}/undo").json["undone_by"] == "token:admin"
    assert ask("POST", f"/merges/{number}/undo").status_code == 409
    parted = [ask("GET", f"/contacts/{n}").json for n in (one, two)]
    assert [(c["name"], c["emails"], c["fields"]) for c in parted] == [
        ("Maria Souza", ["m@a.test"], {"size": 1}), ("M. Souza", ["m@b.test"], {"size": 2}),
    ]  # fmt: skip
    assert ask("GET", f"/deals/{deal}").json["contact_id"] == two


def test_what_cannot_be_merged_is_said_where_it_lies(ask: Ask) -> None:
    one = made(ask, "companies", name="Sol")
    for body, status, field in (
        ({}, 422, "/other"),
        ({"other": one}, 422, "/other"),
        ({"other": 10**18}, 422, "/other"),
        ({"other": 2, "choose": {"name": "both"}}, 422, None),
        ({"other": 2, "x": 1}, 422, "/x"),
        ({"other": "2'; drop table lead"}, 422, "/other"),
    ):
        answer = ask("POST", f"/companies/{one}/merge", json=body)
        assert answer.status_code == status, (body, answer.json)
        assert answer.content_type == "application/problem+json"
        if field is not None:
            assert field in [e["field"] for e in answer.json["errors"]], answer.json
    two = made(ask, "companies", name="Lua")
    wrong = ask(
        "POST", f"/companies/{one}/merge", json={"other": two, "choose": {"name": "both", "nme": "other"}}
    )
    assert {e["field"] for e in wrong.json["errors"]} == {"/choose/name", "/choose/nme"}
    assert ask("POST", "/companies/999/merge", json={"other": two}).status_code == 404


def test_a_merged_lead_s_address_answers_the_survivor(
    ask: Ask, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.unit_of_work() as session:
        one, two = (enquire(session, emails=(f"{n}@x.test",), name=n.upper()).lead.id for n in "ab")
    monkeypatch.setattr(commands, "begin", lambda: None)
    runner = CliRunner()
    done = runner.invoke(
        commands.merges, ["make", "lead", str(one), str(two), "--choose", "name=other", "--json"]
    )
    assert done.exit_code == 0, done.output
    number = json.loads(done.output)["id"]
    for path in ("", "/timeline", "/activities", "/trace", "/emails", "/attachments", "/consents", "/offers"):
        assert ask("GET", f"/leads/{two}{path}").status_code == 200, path
    answer = ask("GET", f"/leads/{two}")
    assert (answer.json["id"], answer.json["name"]) == (one, "B")
    assert [lead["id"] for lead in ask("GET", "/leads?email=b@x.test").json["items"]] == [one]
    assert [lead["merged_into_id"] for lead in ask("GET", "/leads?status=merged").json["items"]] == [one]
    assert ask("POST", f"/leads/{two}/comments", json={"text": "x"}).status_code == 409
    assert "lead.merged" in [e["type"] for e in ask("GET", "/feed").json["items"]]
    again = runner.invoke(commands.merges, ["make", "lead", str(two), str(one)])
    assert (again.exit_code, "part of lead" in str(again.exception)) == (1, True)
    assert runner.invoke(commands.merges, ["make", "lead", "1", "2", "--choose", "name"]).exit_code == 1
    assert f"lead {two} → {one}" in runner.invoke(commands.merges, ["list"]).output
    assert runner.invoke(commands.merges, ["undo", str(number)]).exit_code == 0
    assert ask("GET", f"/leads/{two}").json["id"] == two
    assert runner.invoke(commands.merges, ["undo", "77"]).exit_code == 1
