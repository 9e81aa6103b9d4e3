"""Calls of which the provider told us nothing are found in its list of calls, and fetched once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import Result

from core import clock, db
from models.call import Call, CallResult
from models.call_check import CallCheck
from models.inbound import InboundEvent
from models.lead import Lead
from tests.intake.calls.conftest import House, every
from tests.servers import telephony
from tests.servers.provider import Answer, Asked
from worker import line_checks, lost_calls

NOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
OURS, CALLER = "+551140000000", "+5511912345678"
ACCOUNT = "AC" + "0" * 32
LINES = {
    "twilio": f"auth_token: 3f0d2c1b4a5968778695a4b3c2d1e0f9, account_sid: {ACCOUNT}",
    "telnyx": f"public_key: '{telephony.LINES['telnyx']['public_key']}', api_key: KEY1",
    "aircall": "token: cebcaac65f0e4b1d9a7f, api_id: a1, api_token: secret",
    "zadarma": "api_secret: 8a8e91d214fb728889c7, api_key: key, timezone: Europe/Lisbon",
}
PATHS = {
    "twilio": ("api.twilio.com", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"),
    "telnyx": ("api.telnyx.com", "/v2/call_events"),
    "aircall": ("api.aircall.io", "/v1/calls"),
    "zadarma": ("api.zadarma.com", "/v1/statistics/pbx/"),
}


def twilio_call(n: int, status: str = "no-answer", **more: Any) -> dict[str, Any]:
    return {
        "sid": f"CA{n:032}", "parent_call_sid": None, "from": CALLER, "to": OURS, "direction": "inbound",
        "status": status, "start_time": "Mon, 23 Nov 2026 14:00:00 +0000",
        "end_time": "Mon, 23 Nov 2026 14:00:30 +0000", "duration": "0", "caller_name": None, **more,
    }  # fmt: skip


def telnyx_event(name: str, seconds: int, leg: str = "leg-a", **payload: Any) -> dict[str, Any]:
    at = f"2026-11-23T14:00:{seconds:02}.000000Z"
    event = {"event_type": name, "id": f"{name}-{leg}", "occurred_at": at}
    event["payload"] = {"from": CALLER, "to": OURS, "direction": "incoming", **payload}
    return {
        "record_type": "call_event", "name": name, "type": "webhook", "event_timestamp": at,
        "call_session_id": "session-1", "call_leg_id": leg, "metadata": {"event": event},
    }  # fmt: skip


def aircall_call(**more: Any) -> dict[str, Any]:
    return {
        "id": 812, "direction": "inbound", "status": "done", "missed_call_reason": "no_available_agent",
        "started_at": 1795442400, "answered_at": None, "ended_at": 1795442430, "duration": 30,
        "raw_digits": "+55 11 91234-5678", "number": {"digits": "+55 11 4000-0000"}, **more,
    }  # fmt: skip


def zadarma_call(**more: Any) -> dict[str, Any]:
    return {
        "pbx_call_id": "in_7f", "callstart": "2026-11-23 14:00:00", "clid": "5511912345678", "sip": "101",
        "destination": "101", "disposition": "no answer", "seconds": "0", "is_recorded": "false", **more,
    }  # fmt: skip


LISTS: dict[str, Any] = {
    "twilio": {"calls": [twilio_call(1)], "next_page_uri": None},
    "telnyx": {
        "data": [telnyx_event("call.initiated", 0), telnyx_event("call.hangup", 30, hangup_cause="timeout")],
        "meta": {"page_number": 1, "total_pages": 1},
    },
    "aircall": {"calls": [aircall_call()], "meta": {"current_page": 1, "next_page_link": None}},
    "zadarma": {"status": "success", "version": 2, "stats": [zadarma_call()]},
}


def line(house: House, provider: str, answer: Answer | Callable[[Asked], Answer]) -> None:
    numbers = "" if provider == "zadarma" else f", numbers: ['{OURS}']"
    house.configure(f"  - {{key: main, provider: {provider}, {LINES[provider]}{numbers}}}")
    host, path = PATHS[provider]
    house.provider.on("GET", host, path, answer)


def check(house: House) -> CallCheck:
    """As the scheduler has it checked."""
    line_checks.plan()
    for source_id in line_checks.due():
        line_checks.check(source_id)
    house.work()
    (row,) = every(CallCheck)
    return row


@pytest.mark.parametrize("provider", LISTS)
def test_a_call_of_which_nothing_was_told_becomes_a_missed_call_and_a_lead_once(
    house: House, provider: str
) -> None:
    line(house, provider, Answer(200, LISTS[provider]))
    with clock.frozen(NOON):
        row = check(house)
        assert (row.last_looked, row.last_found, row.error) == (1, 1, "")
        (call,) = every(Call)
        assert (call.result, call.direction, call.from_number) == (CallResult.MISSED, "inbound", CALLER)
        assert [lead.phone for lead in every(Lead)] == [CALLER]
        assert row.due_at == NOON + timedelta(hours=12)
        events = len(every(InboundEvent))
    with clock.frozen(NOON + timedelta(hours=12)):
        row = check(house)
        assert (row.last_looked, row.last_found, len(every(InboundEvent))) == (1, 0, events)
    assert [len(every(table)) for table in (Call, Lead)] == [1, 1]
    asked = house.provider.asked[0]
    assert any(name in asked.headers["authorization"] for name in ("Basic ", "Bearer KEY1", "key:"))


def test_a_call_that_was_told_changes_nothing(house: House) -> None:
    line(house, "twilio", Answer(200, LISTS["twilio"]))
    told = {
        "AccountSid": ACCOUNT,
        "CallSid": f"CA{1:032}",
        "From": CALLER,
        "To": OURS,
        "Direction": "inbound",
    }
    with clock.frozen(NOON):
        house.tell(
            "twilio", told | {"CallStatus": "no-answer", "Timestamp": "Mon, 23 Nov 2026 14:00:30 +0000"}
        )
        before = every(Call)[0].facts
        assert check(house).last_found == 0
    assert (every(Call)[0].facts, len(every(InboundEvent))) == (before, 1)


def test_a_call_whose_end_was_lost_gets_it(house: House) -> None:
    answered = twilio_call(1, "completed", duration="25")
    legs = [twilio_call(2, "completed", parent_call_sid=f"CA{1:032}", to="+5511999990001", duration="20",
                        direction="outbound-dial"), answered]  # fmt: skip
    line(house, "twilio", Answer(200, {"calls": legs, "next_page_uri": None}))
    told = {
        "AccountSid": ACCOUNT,
        "CallSid": f"CA{1:032}",
        "From": CALLER,
        "To": OURS,
        "Direction": "inbound",
    }
    with clock.frozen(NOON - timedelta(hours=1)):
        house.tell("twilio", told | {"CallStatus": "ringing", "Timestamp": "Mon, 23 Nov 2026 14:00:00 +0000"})
    with clock.frozen(NOON):
        lost_calls.close()
        house.work()
        assert every(Call)[0].closed_reason is not None
        assert check(house).last_found == 1
    (call,) = every(Call)
    assert (call.result, call.talk_seconds, call.closed_reason) == (CallResult.ANSWERED, 20, None)
    assert call.user_id is not None


def test_pages_are_followed_and_a_limit_is_waited_out_where_it_stopped(house: House) -> None:
    limited = [True]

    def paged(asked: Asked) -> Answer:
        page = int(asked.query.get("Page", "0"))
        if page == 2 and limited:
            return Answer(429, {"message": "Too many requests"}, {"Retry-After": "45"})
        uri = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page={page + 1}"
        return Answer(200, {"calls": [twilio_call(page)], "next_page_uri": uri if page < 3 else None})

    line(house, "twilio", paged)
    with clock.frozen(NOON):
        row = check(house)
        assert (row.due_at, row.looked, row.ended_at) == (NOON + timedelta(seconds=45), 2, None)
        assert "429" in row.error
    limited.clear()
    with clock.frozen(NOON + timedelta(seconds=45)):
        row = check(house)
    assert (row.last_looked, row.last_found, row.error) == (4, 4, "")
    assert [int(a.query.get("Page", "0")) for a in house.provider.asked] == [0, 1, 2, 2, 3]
    assert len(every(Call)) == 4


def test_the_windows_overlap_and_none_is_left_out_after_a_failure(house: House) -> None:
    line(house, "aircall", Answer(200, LISTS["aircall"] | {"calls": []}))
    with clock.frozen(NOON):
        check(house)
    house.provider.on("GET", *PATHS["aircall"], Answer(401, {"error": "Unauthorized"}))
    with clock.frozen(NOON + timedelta(hours=12)):
        row = check(house)
        assert ("does not let us in" in row.error, row.checked_until) == (True, NOON)
    house.provider.on("GET", *PATHS["aircall"], Answer(200, LISTS["aircall"] | {"calls": []}))
    with clock.frozen(NOON + timedelta(hours=24)):
        assert check(house).error == ""
    since = [int(a.query["from"]) for a in house.provider.asked]
    first = int((NOON - timedelta(hours=30)).timestamp())
    assert since == [first, *[int((NOON - timedelta(hours=6)).timestamp())] * 2]


@pytest.mark.parametrize(
    ("provider", "answer", "words"),
    [
        ("twilio", Answer(200, b"<html>"), "no JSON"),
        ("twilio", Answer(200, {"calls": "none"}), "no list of calls"),
        ("twilio", Answer(200, b"x" * 9_000_000), "larger than"),
        ("telnyx", Answer(200, {"data": {}}), "no list of events"),
        ("aircall", Answer(302, b"", {"Location": "http://169.254.169.254/"}), "answered 302"),
        ("zadarma", Answer(200, {"status": "error", "message": "Not authorized"}), "Not authorized"),
        ("twilio", Answer(503), "answered 503"),
        ("twilio", Answer(hangs_up=True), "no answer"),
    ],
)
def test_what_goes_wrong_is_kept_in_words(house: House, provider: str, answer: Answer, words: str) -> None:
    line(house, provider, answer)
    row = check(house)
    assert words in row.error
    assert row.due_at is not None
    assert (every(Call), every(InboundEvent)) == ([], [])


def test_items_that_make_no_sense_and_calls_of_other_lines_are_left_out(house: House) -> None:
    calls = [None, 7, {}, twilio_call(5, "in-progress"), twilio_call(6, to="+551150000000"), twilio_call(7)]
    line(house, "twilio", Answer(200, {"calls": calls, "next_page_uri": "https://evil.test/"}))
    seen: list[str] = []
    house.provider.on("GET", "evil.test", "*", lambda a: seen.append(a.path) or Answer(200))  # type: ignore[func-returns-value]
    with clock.frozen(NOON):
        line_checks.plan()
        for source_id in line_checks.due():
            line_checks.check(source_id)
        house.work()
    assert [c.group_id for c in every(Call)] == [f"CA{7:032}"]
    assert seen == []


def test_it_is_checked_on_demand_and_told(house: House, portaria: Callable[..., Result]) -> None:
    line(house, "twilio", Answer(200, LISTS["twilio"]))
    assert house.ask("POST", "/lines/main/reconcile", role="agent").status_code == 403
    assert house.ask("POST", "/lines/other/reconcile").status_code == 404
    asked = house.ask("POST", "/lines/main/reconcile")
    assert (asked.status_code, asked.json["reconciliation"]["trouble"]) == (202, None)
    check(house)
    told = house.ask("GET", "/lines").json["items"][0]
    assert (told["key"], told["places_calls"], told["reconciliation"]["found"]) == ("main", True, 1)
    result = portaria("lines", "reconcile", "main", "--json")
    assert (result.exit_code, json.loads(result.output)[0]["found"]) == (0, 0), result.output
    assert "1 calls, 0 of them new to us" in portaria("lines", "list").output


def test_a_line_that_cannot_be_checked_says_why(house: House, portaria: Callable[..., Result]) -> None:
    house.configure(
        "  - {key: main, provider: plivo, auth_token: x}\n  - {key: two, provider: twilio, auth_token: x}"
    )
    for key, words in (("main", "has no list of calls"), ("two", "no `account_sid`")):
        answer = house.ask("POST", f"/lines/{key}/reconcile")
        assert (answer.status_code, words in answer.text) == (422, True)
    assert line_checks.plan() == 0
    result = portaria("lines", "reconcile")
    assert (result.exit_code, "no line can be checked" in result.output) == (1, True)


def test_two_workers_do_not_check_one_line_at_once(house: House) -> None:
    line(house, "twilio", Answer(200, LISTS["twilio"]))
    line_checks.plan()
    (source_id,) = line_checks.due()
    with db.unit_of_work() as session:
        assert line_checks._claim(session, source_id) is not None
    assert line_checks.due() == []
    line_checks.check(source_id)
    assert house.provider.asked == []
