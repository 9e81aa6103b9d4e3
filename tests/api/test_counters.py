"""Counters over the API."""

from __future__ import annotations

from typing import Any

from core import clock
from tests.api.conftest import Ask
from tests.factories import NOON


def told(answer: Any) -> tuple[int, ...]:
    assert answer.status_code == 200, answer.text
    return tuple(answer.json[n] for n in ("overdue", "due_today", "unanswered", "without_next_step"))


def test_counters_of_users_teams_and_elements(ask: Ask) -> None:
    with clock.frozen(NOON):
        lead = ask("POST", "/leads", json={"name": "Maria", "email": "maria@client.test"}).json
        owner = lead["owner"]["email"]
        deal = ask("POST", "/deals", json={"title": "Ovens", "owner": "clara@acme.test"}).json
        # The rule has planned a call in an hour: 13:00 in São Paulo.
        assert told(ask("GET", f"/leads/{lead['id']}/counters")) == (0, 1, 1, 0)
        assert told(ask("GET", f"/deals/{deal['id']}/counters")) == (0, 0, 0, 1)
        all_of_us = ask("GET", "/counters").json
        assert {i["owner"]["email"]: i["without_next_step"] for i in all_of_us["items"]} == {
            owner: 0,
            "clara@acme.test": 1,
        }
        assert all_of_us["total"] == {"overdue": 0, "due_today": 1, "unanswered": 1, "without_next_step": 1}
        assert ask("GET", "/counters?team=inbound").json["total"]["without_next_step"] == 0
        (mine,) = ask("GET", f"/counters?owner={owner}").json["items"]
        assert told_of(mine) == (0, 1, 1, 0)
        assert ask("GET", f"/counters?owner={owner}&team=inbound").json["items"] == [mine]
        assert ask("GET", "/counters?owner=clara@acme.test&team=inbound").json["items"] == []
        for path, status in (
            ("/counters?team=none", 404),
            ("/counters?owner=x@y.test", 422),
            ("/counters?x=1", 422),
            ("/leads/99/counters", 404),
        ):
            assert ask("GET", path).status_code == status, path
    with clock.frozen(NOON.replace(hour=17)):
        assert told(ask("GET", f"/leads/{lead['id']}/counters")) == (1, 0, 1, 0)
        (call,) = ask("GET", f"/leads/{lead['id']}/activities").json["items"]
        ask("POST", f"/activities/{call['id']}/complete", json={})
        assert told(ask("GET", f"/leads/{lead['id']}/counters")) == (0, 0, 0, 1)


def told_of(item: dict[str, Any]) -> tuple[int, ...]:
    return tuple(item[n] for n in ("overdue", "due_today", "unanswered", "without_next_step"))
