"""The feed and the webhooks through the API."""

from __future__ import annotations

from tests.api.conftest import RULES, Ask
from tests.factories import configure

SECRET = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZA=="


def test_the_feed_is_followed_with_a_cursor(ask: Ask) -> None:
    empty = ask("GET", "/feed").json
    assert empty == {"items": [], "next_cursor": "0"}
    ask("POST", "/leads", json={"email": "ana@client.test"})
    first = ask("GET", "/feed?after=0&limit=1").json
    assert [e["type"] for e in first["items"]] == ["lead.created"]
    rest = ask("GET", f"/feed?after={first['next_cursor']}").json
    assert "lead.assigned" in [e["type"] for e in rest["items"]]
    assert first["items"][0]["id"] not in [e["id"] for e in rest["items"]]
    again = ask("GET", f"/feed?after={rest['next_cursor']}").json
    assert again == {"items": [], "next_cursor": rest["next_cursor"]}
    assert ask("GET", "/feed?after=x").status_code == 422


def test_endpoints_and_what_is_sent_to_them_are_seen_and_sent_again(ask: Ask) -> None:
    configure(
        rules=RULES,
        webhooks=f'  - {{key: sync, url: "https://sync.test/x", events: [lead.created], secret: "{SECRET}"}}',
    )
    ask("POST", "/leads", json={"email": "ana@client.test"})
    (endpoint,) = ask("GET", "/webhooks").json["items"]
    assert (endpoint["key"], endpoint["waiting"], endpoint["dead"]) == ("sync", 1, 0)
    assert SECRET not in ask("GET", "/webhooks").text
    (delivery,) = ask("GET", "/webhook-deliveries?endpoint=sync&state=waiting").json["items"]
    assert delivery["event"] == ask("GET", "/feed").json["items"][0]["id"]
    assert ask("POST", f"/webhook-deliveries/{delivery['id']}/replay").json["state"] == "waiting"
    assert ask("POST", "/webhook-deliveries/99/replay").status_code == 404
    assert ask("POST", "/webhooks/sync/replay").json == {"replayed": 0}
    assert ask("POST", "/webhooks/sync/enable").status_code == 200
    assert ask("POST", "/webhooks/other/enable").status_code == 404
