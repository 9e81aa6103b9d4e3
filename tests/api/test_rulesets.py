"""The rules over the API: checked, tried, published with their tests, and taken back."""

from __future__ import annotations

import pytest

from core import db
from models.rule import RulesetVersion
from tests.api.conftest import Ask
from tests.factories import enquire

ANA = {"name": "all", "on": "lead.created", "do": [{"assign": {"user": "ana@acme.test"}}]}
CLARA = {"name": "all", "on": "lead.created", "do": [{"assign": {"user": "clara@acme.test"}}]}
TEST = {
    "name": "goes to Clara",
    "given": {"email": "x@client.test"},
    "expect": {"owner": "clara@acme.test"},
}


def test_a_draft_is_checked_tried_published_and_taken_back(ask: Ask, database: db.Database) -> None:
    with database.unit_of_work() as session:
        enquire(session)
    checked = ask("POST", "/rulesets/check", json={"rules": [CLARA]}).get_json()
    assert (checked["rules"], checked["differences"][0]) == (1, "~ all")
    tried = ask("POST", "/rulesets/backtest", json={"rules": [CLARA], "days": 7}).get_json()
    assert (tried["leads"], tried["owner_changes"]) == (1, 1)
    assert tried["people"]["clara@acme.test"] == {"now": 0, "draft": 1}
    published = ask(
        "POST", "/rulesets", json={"rules": [CLARA], "tests": [TEST], "why": "Clara asked for it"}
    )
    assert published.status_code == 201
    version = published.get_json()
    assert (version["id"], version["in_force"], version["published_by"]) == (2, True, "token:admin")
    assert version["why"] == "Clara asked for it"
    back = ask("POST", "/rulesets/1/rollback", json={}).get_json()
    assert (back["id"], back["why"], back["in_force"]) == (3, "back to version 1", True)
    listed = ask("GET", "/rulesets").get_json()["items"]
    assert [(v["id"], v["in_force"]) for v in listed] == [(3, True), (2, False), (1, False)]
    assert ask("GET", "/rulesets/9").status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"rules": [ANA], "tests": [TEST]}, "expected clara@acme.test, found ana@acme.test"),
        ({"rules": [{**ANA, "when": "lead.nme == 'x'"}]}, "did you mean 'name'?"),
        ({"rules": [{**ANA, "do": [{"assign": {"user": "nobody@acme.test"}}]}]}, "there is no user"),
        ({"rules": [{**ANA, "name": "${DATABASE_URL}", "on": "x"}]}, "${DATABASE_URL} is no value"),
        ({"rules": "all"}, ""),
        ({}, ""),
    ],
)
def test_what_is_wrong_is_not_published(
    ask: Ask, database: db.Database, body: dict[str, object], words: str
) -> None:
    answered = ask("POST", "/rulesets", json=body)
    assert answered.status_code == 422
    assert words in answered.get_json()["detail"]
    with database.reading() as session:
        assert session.query(RulesetVersion).count() == 1
