"""Webhooks that a provider sends for a limited time go on: asked for, renewed, replaced, and told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from click.testing import Result

from core import clock
from intake.calls import BY_NAME
from intake.delivery import Delivery
from models.call import CallResult
from models.line_subscription import LineSubscription
from tests.intake.calls.conftest import ADDRESS, House, every
from tests.servers.provider import Answer, Asked
from worker import subscriptions

NOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
TOKEN = "rc-verify-7f3a9c"
OURS = f"{ADDRESS}/in/calls/ringcentral/main"
LINE = f"  - {{key: main, provider: ringcentral, verification_token: {TOKEN}, client_id: app, client_secret: s, jwt: j}}"
API = "/restapi/v1.0/subscription"


class RingCentral:
    """Their list of subscriptions."""

    def __init__(self, house: House) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.fails: Answer | None = None
        for method in ("GET", "POST", "PUT", "DELETE"):
            house.provider.on(method, "platform.ringcentral.com", API + "*", self._answer)
        house.provider.on(
            "POST", "platform.ringcentral.com", "/restapi/oauth/token", Answer(200, {"access_token": "t0"})
        )

    def has(self, name: str, status: str = "Active", address: str = OURS, days: float = 7) -> None:
        ends = clock.now() + timedelta(days=days)
        mode = {"transportType": "WebHook", "address": address}
        self.rows[name] = {
            "id": name, "status": status, "expirationTime": ends.isoformat(), "deliveryMode": mode,
            "eventFilters": ["/restapi/v1.0/account/~/extension/7/telephony/sessions"],
        }  # fmt: skip

    def _answer(self, asked: Asked) -> Answer:
        assert asked.headers["authorization"] == "Bearer t0"
        name = asked.path.removeprefix(API).strip("/")
        self.asked.append(f"{asked.method} {name}".strip())
        if self.fails is not None:
            return self.fails
        if asked.method == "GET":
            return Answer(200, {"records": list(self.rows.values())})
        if asked.method == "POST" and not name:
            name = f"made-{len(self.asked)}"
            self.rows[name] = asked.json | {"id": name, "status": "Active"}
        one = name.removesuffix("/renew")
        if one not in self.rows:
            return Answer(404, {"message": "no such subscription"})
        if asked.method == "DELETE":
            del self.rows[one]
            return Answer(204)
        self.rows[one] |= asked.json if asked.method == "PUT" else {}
        self.rows[one]["expirationTime"] = (clock.now() + timedelta(days=7)).isoformat()
        return Answer(200, self.rows[one])

    def looked_after(self) -> LineSubscription:
        """What the scheduler does in a minute, and the worker for it."""
        self.asked.clear()
        subscriptions.plan()
        for source_id in subscriptions.due():
            subscriptions.renew(source_id)
        (row,) = every(LineSubscription)
        assert isinstance(row, LineSubscription)
        return row


def test_it_is_asked_for_renewed_changed_and_replaced(house: House) -> None:
    with clock.frozen(NOON):
        theirs = RingCentral(house)
        theirs.has("elsewhere", address="https://other.test/x")
        house.configure(LINE)
        row = theirs.looked_after()
        assert (theirs.asked, row.error) == (["GET", "POST"], "")
        made = theirs.rows[str(row.provider_id)]
        assert made["deliveryMode"] == {
            "transportType": "WebHook", "address": OURS, "verificationToken": TOKEN,
        }  # fmt: skip
        assert made["eventFilters"] == ["/restapi/v1.0/account/~/telephony/sessions"]
        assert row.expires_at == NOON + timedelta(days=7)
        assert (theirs.looked_after().due_at, theirs.asked) == (NOON + timedelta(hours=12), [])
    later = NOON + timedelta(hours=12)
    with clock.frozen(later):
        row = theirs.looked_after()
        assert (theirs.asked, row.expires_at) == (
            ["GET", f"POST {row.provider_id}/renew"],
            later + timedelta(days=7),
        )
        house.configure(LINE.replace(TOKEN, "another-token"))
        row = theirs.looked_after()
        assert theirs.asked == ["GET", f"PUT {row.provider_id}"]
        assert theirs.rows[str(row.provider_id)]["deliveryMode"]["verificationToken"] == "another-token"
        theirs.rows[str(row.provider_id)]["status"] = "Blacklisted"
        assert house.ask("POST", "/lines/main/subscribe").status_code == 202
        gone = row.provider_id
        row = theirs.looked_after()
        assert theirs.asked == ["GET", f"DELETE {gone}", "POST"]
        assert (row.provider_id in theirs.rows, gone in theirs.rows) == (True, False)


def test_one_that_was_made_by_hand_is_taken_over_with_its_events(house: House) -> None:
    with clock.frozen(NOON):
        theirs = RingCentral(house)
        theirs.has("dead", status="Suspended")
        theirs.has("by-hand", days=1)
        house.configure(LINE)
        row = theirs.looked_after()
        assert (row.provider_id, theirs.asked) == ("by-hand", ["GET", "PUT by-hand"])
        assert theirs.rows["by-hand"]["eventFilters"] == [
            "/restapi/v1.0/account/~/telephony/sessions",
            "/restapi/v1.0/account/~/extension/7/telephony/sessions",
        ]


def test_what_goes_wrong_is_told_everywhere_and_tried_again(
    house: House, portaria: Callable[..., Result]
) -> None:
    theirs = RingCentral(house)
    for fails, words in (
        (Answer(400, {"message": "WebHook responds with incorrect HTTP status"}), "incorrect HTTP status"),
        (Answer(500, b"<html>"), "the provider answered 500"),
        (Answer(200, b"[]"), "no JSON object"),
        (Answer(200, {"records": 3}), "no list"),
        (Answer(hangs_up=True), "no answer"),
    ):
        theirs.fails = fails
        house.configure(LINE)
        house.ask("POST", "/lines/main/subscribe")
        row = theirs.looked_after()
        assert words in row.error
        assert (row.due_at or clock.now()) > clock.now()
    told = house.ask("GET", "/lines/main").json["subscription"]
    assert "no answer" in told["error"]
    shown = portaria("lines", "list")
    assert "subscription: could not be renewed: no answer" in shown.output
    found = portaria("doctor", "--json")
    assert "could not be renewed" in json.loads(found.stdout)["call main"]
    theirs.fails = None
    shown = portaria("lines", "subscribe", "main")
    assert (shown.exit_code, "and renewed before" in shown.output) == (0, True), shown.output


def test_a_line_that_cannot_sign_in_says_so_and_asks_nobody(house: House) -> None:
    theirs = RingCentral(house)
    house.configure(f"  - {{key: main, provider: ringcentral, verification_token: {TOKEN}}}")
    assert (subscriptions.plan(), theirs.asked) == (0, [])
    assert "client_id" in house.ask("GET", "/lines/main").json["subscription"]["trouble"]
    assert house.ask("POST", "/lines/main/subscribe").status_code == 422
    house.configure("  - {key: main, provider: aircall, token: cebcaac65f0e4b1d9a7f}")
    assert house.ask("GET", "/lines/main").json["subscription"] is None


def test_a_telephone_that_stops_ringing_ends_no_call_that_others_are_in() -> None:
    adapter = BY_NAME["ringcentral"]
    line = adapter.settings.model_validate(
        {"key": "main", "provider": "ringcentral", "verification_token": TOKEN}
    )

    def told(*parties: tuple[str, bool]) -> list[tuple[CallResult | None, bool]]:
        said = [
            {"id": f"p-{n}", "direction": "Inbound", "status": {"code": code}, "missedCall": missed}
            for n, (code, missed) in enumerate(parties)
        ]
        body = json.dumps({"body": {"telephonySessionId": "s-1", "parties": [*said, "odd", None]}}).encode()
        found = adapter.parse(Delivery(body, "application/json", NOON), line)
        return [(one.result, one.final) for one in (found, *found.also)]

    assert told(("Disconnected", True), ("Hold", False)) == [(None, False)]
    assert told(("Disconnected", True), ("Answered", False)) == [(None, False), (CallResult.ANSWERED, False)]
    assert told(("Disconnected", True), ("Gone", False)) == [(CallResult.MISSED, True)]
    assert len(told(*[("Disconnected", True)] * 500)) == 50
