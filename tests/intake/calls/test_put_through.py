"""Telnyx's Call Control: callers are put through by commands, and never left to hear nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from core import clock, db
from intake import reception
from models.activity import Activity
from models.call import Call, CallResult
from models.call_order import CommandState
from models.call_transfer import CallTransfer
from models.timeline import TimelineEntry
from tests.factories import NOON
from tests.intake.calls.conftest import House, every
from tests.servers import telephony
from tests.servers.provider import Answer
from worker import transfers

OURS, CALLER, ANA, FALLBACK = "+551140000000", "+5511912345678", "+5511999990001", "+551140009999"
KEY = telephony.LINES["telnyx"]["public_key"]
LINE = (
    f"  - {{key: main, provider: telnyx, public_key: '{KEY}', api_key: KEY1, numbers: ['{OURS}'], team: inbound,"
    f" connect: {{fallback: '{FALLBACK}', ring_seconds: 15}}}}"
)


@pytest.fixture
def telnyx(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(reception, "BUDGET", 20.0)
    monkeypatch.setattr(reception, "LOOKING", 15.0)
    house.configure(LINE)
    house.provider.on("POST", "api.telnyx.com", "/v2/calls/*", Answer(200, {"data": {"result": "ok"}}))
    with clock.frozen(NOON):
        yield house


def says(house: House, kind: str, seconds: int, leg: str = "leg-a", **said: Any) -> int:
    payload = {"call_control_id": f"v3:{leg}/x", "call_leg_id": leg, "call_session_id": "session-1"}
    payload |= {"from": CALLER, "to": OURS, "start_time": NOON.isoformat()}
    if kind == "call.initiated" and leg == "leg-a":
        payload |= {"direction": "incoming", "state": "parked", "client_state": None}
    at = (NOON + timedelta(seconds=seconds)).isoformat()
    event = {"event_type": kind, "id": f"{kind}-{leg}", "occurred_at": at, "record_type": "event"}
    return house.tell("telnyx", {"data": event | {"payload": payload | said}})


def commands(house: House) -> list[tuple[str, str | None]]:
    return [(a.path.rpartition("/")[2], a.json.get("to")) for a in house.provider.asked]


def call() -> Call:
    (found,) = every(Call)
    assert isinstance(found, Call)
    return found


def test_whoever_is_there_is_rung_by_a_transfer_and_talks(telnyx: House) -> None:
    assert says(telnyx, "call.initiated", 0) == 200
    assert says(telnyx, "call.initiated", 0) == 200  # once more: nothing new
    (asked,) = telnyx.provider.asked
    assert (asked.path, asked.headers["authorization"]) == (
        "/v2/calls/v3%3Aleg-a%2Fx/actions/transfer",
        "Bearer KEY1",
    )
    assert (asked.json["to"], asked.json["timeout_secs"]) == (ANA, 15)
    state = asked.json["target_leg_client_state"]
    assert (call().rung_number, call().result) == (ANA, None)
    says(telnyx, "call.initiated", 1, "leg-b", direction="outgoing", client_state=state, to=ANA)
    says(telnyx, "call.answered", 9, "leg-b", client_state=state, to=ANA)
    says(telnyx, "call.answered", 9)
    says(telnyx, "call.hangup", 60, "leg-b", client_state=state, to=ANA, hangup_cause="normal_clearing")
    says(telnyx, "call.hangup", 60, hangup_cause="normal_clearing")
    made = call()
    assert (made.result, made.talk_seconds, made.answered_by) == (CallResult.ANSWERED, 51, ANA)
    assert made.user_id is not None
    assert commands(telnyx) == [("transfer", ANA)]
    assert [t.state for t in every(CallTransfer)] == [CommandState.DONE]


def test_where_nobody_answers_the_fallback_is_rung_and_then_the_caller_is_let_go(telnyx: House) -> None:
    says(telnyx, "call.initiated", 0)
    first = telnyx.provider.asked[0].json["target_leg_client_state"]
    says(telnyx, "call.hangup", 15, "leg-b", client_state=first, to=ANA, hangup_cause="timeout")
    assert commands(telnyx) == [("transfer", ANA), ("transfer", FALLBACK)]
    assert call().rung_why == "whoever was rung did not answer"
    then = telnyx.provider.asked[1].json["target_leg_client_state"]
    says(telnyx, "call.hangup", 30, "leg-c", client_state=then, to=FALLBACK, hangup_cause="user_busy")
    assert commands(telnyx)[2:] == [("hangup", None)]
    assert telnyx.provider.asked[2].path.startswith("/v2/calls/v3%3Aleg-a%2Fx/")
    says(telnyx, "call.hangup", 31, hangup_cause="normal_clearing")
    assert call().result is CallResult.MISSED
    assert [a.type for a in every(Activity)] == ["call"]
    told = [e.summary for e in every(TimelineEntry) if e.kind == "put_through"]
    assert told == [f"Put through to {FALLBACK}: whoever was rung did not answer"]


def test_who_gives_up_or_has_talked_is_rung_nobody_else(telnyx: House) -> None:
    says(telnyx, "call.initiated", 0)
    first = telnyx.provider.asked[0].json["target_leg_client_state"]
    says(telnyx, "call.hangup", 5, "leg-b", client_state=first, to=ANA, hangup_cause="originator_cancel")
    says(telnyx, "call.hangup", 5, hangup_cause="originator_cancel")
    assert commands(telnyx) == [("transfer", ANA)]
    assert call().result is CallResult.MISSED


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (Answer(422, {"errors": [{"detail": "Invalid destination"}]}), ["transfer", "transfer", "hangup"]),
        (Answer(hangs_up=True), ["transfer"] * 6 + ["hangup"] * 3),
    ],
)
def test_what_telnyx_refuses_goes_to_the_fallback_and_then_ends(
    telnyx: House, refused: Answer, expected: list[str]
) -> None:
    telnyx.provider.on("POST", "api.telnyx.com", "/v2/calls/*", refused)
    says(telnyx, "call.initiated", 0)
    for seconds in range(1, 12):
        with clock.frozen(NOON + timedelta(seconds=seconds)):
            telnyx.work()
    assert [name for name, _ in commands(telnyx)] == expected
    tried = [a.json["command_id"] for a in telnyx.provider.asked]
    assert len(set(tried)) == 3  # a repeated command is known by its id
    assert str(call().rung_why).startswith("the fallback: ")
    assert call().rung_number == FALLBACK
    assert all(t.error for t in every(CallTransfer))


def test_a_command_that_comes_too_late_is_not_told(telnyx: House) -> None:
    says(telnyx, "call.initiated", 0)
    with db.unit_of_work() as session:
        row = session.query(CallTransfer).one()
        row.state, row.due_at = CommandState.WAITING, clock.now()
    with clock.frozen(NOON + timedelta(minutes=2)):
        transfers.carry_out(1)
    assert len(telnyx.provider.asked) == 1
    assert every(CallTransfer)[0].error == "nobody waits any more"


def test_a_command_whose_worker_died_is_told_again_under_its_id(telnyx: House) -> None:
    says(telnyx, "call.initiated", 0)
    with db.unit_of_work() as session:
        row = session.query(CallTransfer).one()
        row.state, row.due_at = CommandState.RUNNING, NOON + timedelta(seconds=40)
    telnyx.work()
    assert len(telnyx.provider.asked) == 1
    with clock.frozen(NOON + timedelta(seconds=41)):
        telnyx.work()
    first, again = telnyx.provider.asked
    assert first.json == again.json


@pytest.mark.parametrize(
    "said",
    [
        {"direction": "outgoing"},
        {"call_control_id": None},
        {"call_session_id": None},
        {"client_state": "W1tbW1tbW1tb", "direction": "outgoing"},
    ],
)
def test_other_calls_ask_nothing(telnyx: House, said: dict[str, Any]) -> None:
    assert says(telnyx, "call.initiated", 0, **said) == 200
    assert telnyx.provider.asked == []


def test_without_a_key_nothing_is_asked(house: House) -> None:
    house.configure(LINE.replace(" api_key: KEY1,", ""))
    with clock.frozen(NOON):
        assert says(house, "call.initiated", 0) == 200
    assert (house.provider.asked, call().rung_number) == ([], None)
