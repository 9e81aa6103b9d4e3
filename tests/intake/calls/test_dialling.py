"""Click to call: the agent's telephone first, then the client's, at each provider that can be told so."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core import clock, db
from crm import activities
from models.activity import Activity, ActivityState
from models.call import Call, CallResult
from models.call_order import CallCommand, CallOrder, CommandState
from models.lead import Lead
from models.timeline import TimelineEntry
from tests.factories import configure_in, enquire
from tests.intake.calls.conftest import PEOPLE, House, every
from tests.servers import telephony
from tests.servers.provider import Answer, Asked
from worker import call_outcomes, dialling

NOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
CLIENT, ANA, OURS = "+5511912345678", "+5511999990001", "+551140000000"
ACCOUNT = "AC" + "0" * 32
SID = "CA" + "1" * 32
LINES = {
    "twilio": f"  - {{key: main, provider: twilio, auth_token: 3f0d2c1b4a5968778695a4b3c2d1e0f9, account_sid: {ACCOUNT}, numbers: ['{OURS}']}}",
    "telnyx": f"  - {{key: main, provider: telnyx, public_key: '{telephony.LINES['telnyx']['public_key']}', api_key: KEY1, connection_id: '7267', numbers: ['{OURS}']}}",
    "generic": f"""  - key: main
    provider: generic
    secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
    numbers: ['{OURS}']
    dial:
      url: https://pbx.test/calls/{{{{ agent_extension }}}}
      headers: {{Authorization: Bearer s3cret}}
      body: {{to: "{{{{ client_number }}}}", vars: {{token: "{{{{ order }}}}"}}}}
      call_id: $.call.uuid
""",
}


def lead_with_call(due_in: timedelta = timedelta(hours=2)) -> tuple[int, int]:
    """A lead of Ana's with a call planned; their ids."""
    with db.unit_of_work() as session:
        lead = enquire(session, phones=(CLIENT,)).lead
        due = clock.now() + due_in
        made = activities.plan(session, lead, type="call", subject="Call Maria", due_at=due, actor="service")
        return lead.id, made.id


def place(house: House, lead: int, status: int = 202, **more: Any) -> dict[str, Any]:
    body = {"lead": lead, "agent": "ana@acme.test", **more}
    answer = house.ask("POST", "/calls", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json or {})


def shown(house: House, call_id: int) -> dict[str, Any]:
    return dict(house.ask("GET", f"/calls/{call_id}").json or {})


def state(house: House, call_id: int) -> str:
    return str(shown(house, call_id)["order"]["state"])


def asks_first(asked: Asked) -> Answer:
    return Answer(201, {"sid": SID, "status": "queued"})


@pytest.fixture
def twilio(house: House) -> House:
    house.configure(LINES["twilio"])
    house.provider.on("POST", "api.twilio.com", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", asks_first)
    return house


def twilio_says(house: House, order: str, **said: str) -> int:
    common = {"AccountSid": ACCOUNT, "CallSid": SID, "Direction": "outbound-api", "From": OURS, "To": ANA}
    return house.tell("twilio", common | said, query=f"?order={order}")


def child(status: str, **said: str) -> dict[str, str]:
    leg = {"CallSid": "CA" + "2" * 32, "ParentCallSid": SID, "Direction": "outbound-dial", "To": CLIENT}
    return leg | {"CallStatus": status, "CallbackSource": "call-progress-events"} | said


def stamp(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S +0000")


def play_twilio(house: House, order: str, *, dialled: str = "completed", seconds: int = 51) -> None:
    """The provider's callbacks of a call for which the agent picked up."""
    for n, status in enumerate(("initiated", "ringing", "in-progress")):
        twilio_says(house, order, CallStatus=status, SequenceNumber=str(n), Timestamp=stamp(n))
    twilio_says(house, order, **child("ringing", Timestamp=stamp(5)))
    if dialled == "completed":
        twilio_says(house, order, **child("in-progress", Timestamp=stamp(15)))
        ended = child("completed", Timestamp=stamp(15 + seconds), CallDuration=str(seconds))
        twilio_says(house, order, **ended)
    else:
        twilio_says(house, order, **child(dialled, Timestamp=stamp(25)))
    action = {"CallStatus": "in-progress", "DialCallStatus": dialled, "DialCallSid": "CA" + "2" * 32}
    twilio_says(house, order, **action, DialCallDuration=str(seconds if dialled == "completed" else 0))
    twilio_says(house, order, CallStatus="completed", CallDuration="70", Timestamp=stamp(70))


def test_twilio_rings_the_agent_and_is_told_to_dial_the_client(twilio: House) -> None:
    lead, activity = lead_with_call()
    with clock.frozen(NOON):
        made = place(twilio, lead)
        assert (made["direction"], made["from"], made["to"], made["lead_id"]) == (
            "outbound",
            OURS,
            CLIENT,
            lead,
        )
        assert (made["result"], made["order"]["state"], made["order"]["activity_id"]) == (
            None,
            "waiting",
            activity,
        )
        twilio.work()
        (asked,) = twilio.provider.asked
        order = every(CallOrder)[0].token
        form = asked.form
        assert (form["To"], form["From"], form["Timeout"]) == (ANA, OURS, "20")
        assert form["StatusCallback"] == f"https://in.acme.test/in/calls/twilio/main?order={order}"
        assert f">{CLIENT}</Number>" in form["Twiml"]
        signed_in = base64.b64encode(f"{ACCOUNT}:3f0d2c1b4a5968778695a4b3c2d1e0f9".encode()).decode()
        assert asked.headers["authorization"] == f"Basic {signed_in}"
        assert state(twilio, made["id"]) == "placed"
        play_twilio(twilio, order)
    (call,) = every(Call)
    assert call.id == made["id"]
    found = shown(twilio, call.id)
    assert (found["provider_call_id"], found["result"], found["talk_seconds"]) == (SID, "answered", 51)
    assert (found["from"], found["to"], found["answered_by"]) == (OURS, CLIENT, "ana@acme.test")
    assert found["ring_seconds"] == 10
    (done,) = every(Activity)
    assert (done.state, done.outcome) == (ActivityState.DONE, "answered")
    assert every(Lead)[0].first_response_at == NOON
    told = [e.summary for e in every(TimelineEntry) if e.kind in ("call", "call_ordered")]
    assert told == [f"Ana calls {CLIENT}", f"Outgoing call answered, 51 s: {CLIENT}"]


@pytest.mark.parametrize(
    ("dialled", "result", "state"),
    [("busy", "busy", "done"), ("no-answer", "missed", "done"), ("failed", "failed", "planned")],
)
def test_a_client_who_does_not_answer(twilio: House, dialled: str, result: str, state: str) -> None:
    lead, _ = lead_with_call()
    with clock.frozen(NOON):
        made = place(twilio, lead)
        twilio.work()
        play_twilio(twilio, every(CallOrder)[0].token, dialled=dialled)
        assert shown(twilio, made["id"])["result"] == result
    assert [a.state.value for a in every(Activity)] == [state]
    assert (every(Lead)[0].first_response_at is None) is (result == "failed")


@pytest.mark.parametrize(
    ("status", "words"),
    [("no-answer", "the agent did not answer"), ("busy", "the agent's telephone was busy")],
)
def test_an_agent_who_does_not_answer_has_answered_nobody(twilio: House, status: str, words: str) -> None:
    lead, _ = lead_with_call()
    made = place(twilio, lead)
    twilio.work()
    twilio_says(twilio, every(CallOrder)[0].token, CallStatus=status, Timestamp=stamp(20))
    found = shown(twilio, made["id"])
    assert (found["result"], found["closed_reason"], found["ring_seconds"]) == ("failed", words, None)
    assert every(Lead)[0].first_response_at is None
    assert every(Activity)[0].state is ActivityState.PLANNED
    assert f"({words})" in next(e.summary for e in every(TimelineEntry) if e.kind == "call")


def test_events_that_are_quicker_than_the_answer_are_the_same_call(twilio: House) -> None:
    lead, _ = lead_with_call()

    def quick(asked: Asked) -> Answer:
        order = asked.form["StatusCallback"].rpartition("=")[2]
        twilio_says_only(twilio, order)
        return asks_first(asked)

    def twilio_says_only(house: House, order: str) -> None:
        said = {"AccountSid": ACCOUNT, "CallSid": SID, "Direction": "outbound-api", "CallStatus": "initiated"}
        url = f"https://in.acme.test/in/calls/twilio/main?order={order}"
        assert house.provider.tell("twilio", url, said) == 200

    twilio.provider.on("POST", "api.twilio.com", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", quick)
    made = place(twilio, lead)
    twilio.work()
    (call,) = every(Call)
    assert (call.id, call.provider_call_id) == (made["id"], SID)
    assert state(twilio, call.id) == "placed"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            400,
            {"code": 21211, "message": "The 'To' number is not a valid phone number."},
            "not a valid phone",
        ),
        (401, {"message": "Authenticate"}, "Authenticate"),
        (403, b"<html>", "answered 403"),
    ],
)
def test_what_the_provider_refuses_is_said_in_its_words(
    twilio: House, status: int, body: Any, words: str
) -> None:
    lead, _ = lead_with_call()
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    twilio.provider.on("POST", "api.twilio.com", path, Answer(status, body))
    made = place(twilio, lead)
    twilio.work()
    found = shown(twilio, made["id"])
    assert (found["order"]["state"], found["result"]) == ("refused", "failed")
    assert words in found["order"]["error"]
    assert words in found["closed_reason"]
    assert len(twilio.provider.asked) == 1
    assert place(twilio, lead)["id"] != made["id"]  # and may be tried again


def test_an_unknown_outcome_is_not_dialled_twice_and_is_given_up_in_words(twilio: House) -> None:
    lead, _ = lead_with_call()
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    twilio.provider.on("POST", "api.twilio.com", path, Answer(hangs_up=True))
    with clock.frozen(NOON):
        made = place(twilio, lead)
        twilio.work()
        assert state(twilio, made["id"]) == "unknown"
        assert dialling.give_up() == 0
    with clock.frozen(NOON + timedelta(minutes=3)):
        twilio.work()
        assert dialling.give_up() == 1
        twilio.work()
        found = shown(twilio, made["id"])
        assert (found["result"], "nothing was heard" in found["closed_reason"]) == ("failed", True)
        assert dialling.give_up() == 0
    assert len(twilio.provider.asked) == 1


def test_an_unknown_outcome_is_known_once_the_provider_tells_of_the_call(twilio: House) -> None:
    lead, _ = lead_with_call()
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    twilio.provider.on("POST", "api.twilio.com", path, Answer(503))
    with clock.frozen(NOON):
        made = place(twilio, lead)
        twilio.work()
        assert state(twilio, made["id"]) == "unknown"
        play_twilio(twilio, every(CallOrder)[0].token)
    found = shown(twilio, made["id"])
    assert (found["order"]["state"], found["order"]["error"], found["result"]) == ("placed", "", "answered")
    assert len(every(Call)) == 1


def test_a_worker_that_dies_in_the_middle_dials_nobody_again(twilio: House) -> None:
    lead, _ = lead_with_call()
    with clock.frozen(NOON):
        made = place(twilio, lead)
        with db.unit_of_work() as session:
            assert dialling._claim(session, every(CallCommand)[0].id) is not None
        twilio.work()
        assert state(twilio, made["id"]) == "dialling"
    with clock.frozen(NOON + timedelta(seconds=61)):
        twilio.work()
    assert (state(twilio, made["id"]), twilio.provider.asked) == ("unknown", [])


def test_a_provider_that_is_not_reached_is_tried_again_for_a_moment(
    twilio: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _ = lead_with_call()
    twilio.provider.on("POST", "api.twilio.com", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", Answer(429))
    with clock.frozen(NOON):
        made = place(twilio, lead)
        twilio.work()
        assert state(twilio, made["id"]) == "waiting"
    with clock.frozen(NOON + timedelta(seconds=1)):
        twilio.work()
    twilio.provider.on("POST", "api.twilio.com", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", asks_first)
    with clock.frozen(NOON + timedelta(seconds=5)):
        twilio.work()
        assert state(twilio, made["id"]) == "placed"
    assert len(twilio.provider.asked) == 3


def test_an_order_that_waited_for_too_long_rings_nobody(twilio: House) -> None:
    lead, _ = lead_with_call()
    with clock.frozen(NOON):
        made = place(twilio, lead)
    with clock.frozen(NOON + timedelta(minutes=2)):
        twilio.work()
        found = shown(twilio, made["id"])
    assert (found["order"]["state"], found["result"], twilio.provider.asked) == ("refused", "failed", [])


def test_many_rings_for_one_order_dial_once(twilio: House) -> None:
    lead, _ = lead_with_call()
    place(twilio, lead)
    (command,) = every(CallCommand)
    threads = [threading.Thread(target=dialling.place, args=(command.id,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(twilio.provider.asked) == 1


# Telnyx.


@pytest.fixture
def telnyx(house: House) -> House:
    house.configure(LINES["telnyx"])
    data = {"call_control_id": "v3:a/gent", "call_leg_id": "leg-a", "call_session_id": "session-1"}
    house.provider.on("POST", "api.telnyx.com", "/v2/calls", Answer(200, {"data": data}))
    house.provider.on("POST", "api.telnyx.com", "/v2/calls/*", Answer(200, {"data": {"result": "ok"}}))
    return house


def telnyx_says(house: House, kind: str, seconds: int, state: str, leg: str = "leg-a", **said: str) -> int:
    payload = {"call_control_id": "v3:a/gent", "call_leg_id": leg, "call_session_id": "session-1"}
    payload |= {"client_state": state, "from": OURS, "to": ANA if leg == "leg-a" else CLIENT}
    at = (NOON + timedelta(seconds=seconds)).isoformat()
    event = {"event_type": kind, "id": f"{kind}-{leg}", "occurred_at": at, "record_type": "event"}
    return house.tell("telnyx", {"data": event | {"payload": payload | said}})


def test_telnyx_transfers_the_agent_to_the_client_and_hangs_up_where_nobody_answers(telnyx: House) -> None:
    lead, _ = lead_with_call()
    with clock.frozen(NOON):
        made = place(telnyx, lead)
        telnyx.work()
        dial = telnyx.provider.asked[0]
        assert (dial.json["to"], dial.json["from"], dial.json["connection_id"]) == (ANA, OURS, "7267")
        assert dial.headers["authorization"] == "Bearer KEY1"
        agent = dial.json["client_state"]
        assert telnyx_says(telnyx, "call.initiated", 1, agent, direction="outgoing") == 200
        assert len(telnyx.provider.asked) == 1
        telnyx_says(telnyx, "call.answered", 5, agent)
        connect = telnyx.provider.asked[1]
        assert connect.path == "/v2/calls/v3%3Aa%2Fgent/actions/transfer"
        assert (connect.json["to"], connect.json["command_id"]) == (
            CLIENT,
            f"{every(CallOrder)[0].token}-connect",
        )
        telnyx_says(telnyx, "call.answered", 5, agent)  # again: nothing new
        client = connect.json["target_leg_client_state"]
        assert json.loads(base64.b64decode(client))["part"] == "client"
        telnyx_says(
            telnyx, "call.initiated", 6, client, "leg-b", direction="outgoing", start_time=NOON.isoformat()
        )
        telnyx_says(telnyx, "call.hangup", 30, client, "leg-b", hangup_cause="timeout")
        assert [a.path.rpartition("/")[2] for a in telnyx.provider.asked] == ["calls", "transfer", "hangup"]
        telnyx_says(telnyx, "call.hangup", 31, agent, hangup_cause="normal_clearing")
    found = shown(telnyx, made["id"])
    assert (found["result"], found["to"], found["provider_call_id"]) == ("missed", CLIENT, "session-1")
    assert every(Activity)[0].outcome == "no answer"
    assert len(every(Call)) == 1


def test_a_call_over_telnyx_is_answered_when_the_client_has_answered(telnyx: House) -> None:
    lead, _ = lead_with_call()
    with clock.frozen(NOON):
        made = place(telnyx, lead)
        telnyx.work()
        agent = telnyx.provider.asked[0].json["client_state"]
        telnyx_says(telnyx, "call.answered", 5, agent)
        client = telnyx.provider.asked[1].json["target_leg_client_state"]
        telnyx_says(telnyx, "call.answered", 15, client, "leg-b")
        telnyx_says(telnyx, "call.hangup", 75, client, "leg-b", hangup_cause="normal_clearing")
        telnyx_says(telnyx, "call.hangup", 75, agent, hangup_cause="normal_clearing")
    found = shown(telnyx, made["id"])
    assert (found["result"], found["talk_seconds"], found["answered_by"]) == ("answered", 60, "ana@acme.test")


def test_an_unanswered_command_is_given_to_telnyx_again_under_its_own_id(telnyx: House) -> None:
    lead, _ = lead_with_call()
    good = telnyx.provider._scripts[1][3]
    telnyx.provider.on("POST", "api.telnyx.com", "/v2/calls", Answer(hangs_up=True))
    with clock.frozen(NOON):
        made = place(telnyx, lead)
        telnyx.work()
    telnyx.provider.on("POST", "api.telnyx.com", "/v2/calls", good)
    with clock.frozen(NOON + timedelta(seconds=2)):
        telnyx.work()
        assert state(telnyx, made["id"]) == "placed"
    ids = [a.json["command_id"] for a in telnyx.provider.asked]
    assert (len(ids), len(set(ids))) == (2, 1)


def test_an_agent_of_telnyx_who_does_not_answer(telnyx: House) -> None:
    lead, _ = lead_with_call()
    made = place(telnyx, lead)
    telnyx.work()
    agent = telnyx.provider.asked[0].json["client_state"]
    telnyx_says(telnyx, "call.hangup", 25, agent, hangup_cause="timeout")
    found = shown(telnyx, made["id"])
    assert (found["result"], found["closed_reason"]) == ("failed", "the agent did not answer")


# Any telephone system.


@pytest.fixture
def pbx(house: House) -> House:
    house.configure(LINES["generic"])
    house.provider.on("POST", "pbx.test", "/calls/101", Answer(200, {"call": {"uuid": "pbx-7"}}))
    return house


def pbx_says(house: House, call_id: str = "pbx-7", **said: Any) -> int:
    data = {"call_id": call_id, "direction": "outbound", "from": "101", "to": CLIENT, **said}
    return house.tell("generic", {"type": "call.event", "data": data})


def test_a_telephone_system_is_asked_as_its_line_declares(pbx: House) -> None:
    lead, _ = lead_with_call()
    with clock.frozen(NOON):
        made = place(pbx, lead)
        pbx.work()
        (asked,) = pbx.provider.asked
        assert asked.json == {"to": CLIENT, "vars": {"token": every(CallOrder)[0].token}}
        assert asked.headers["authorization"] == "Bearer s3cret"
        pbx_says(pbx, status="answered", answered_at=NOON.isoformat(), talk_seconds=30)
    found = shown(pbx, made["id"])
    assert (found["provider_call_id"], found["result"], found["from"]) == ("pbx-7", "answered", OURS)
    assert len(every(Call)) == 1


def test_an_event_without_our_token_that_is_quicker_than_the_answer_is_the_same_call(pbx: House) -> None:
    lead, _ = lead_with_call()

    def quick(asked: Asked) -> Answer:
        at = NOON.isoformat()
        data = {
            "call_id": "pbx-7",
            "direction": "outbound",
            "from": "101",
            "to": CLIENT,
            "status": "answered",
        }
        url = "https://in.acme.test/in/calls/generic/main"
        assert (
            pbx.provider.tell("generic", url, {"data": data | {"answered_at": at, "talk_seconds": 9}}) == 200
        )
        pbx.work()
        return Answer(200, {"call": {"uuid": "pbx-7"}})

    pbx.provider.on("POST", "pbx.test", "/calls/101", quick)
    with clock.frozen(NOON):
        made = place(pbx, lead)
        pbx.work()
    (call,) = every(Call)
    assert (call.id, call.result, call.lead_id) == (made["id"], CallResult.ANSWERED, lead)
    told = [e for e in every(TimelineEntry) if e.kind == "call"]
    assert [e.data["call"] for e in told] == [call.id]


def test_a_telephone_system_inside_our_network_is_not_asked(pbx: House) -> None:
    pbx.configure(LINES["generic"].replace("https://pbx.test", "http://127.0.0.1:9"))
    lead, _ = lead_with_call()
    made = place(pbx, lead)
    pbx.work()
    assert "private network" in shown(pbx, made["id"])["closed_reason"]


# What the agent says, and who may.


def test_the_agent_says_what_came_of_it_and_rules_hear_that_once(twilio: House) -> None:
    rule = """  - {name: wrong, on: activity.completed, when: 'activity.outcome == "wrong number"', do: [{change_status: junk}]}
  - {name: any, on: activity.completed, do: [{score: 1}]}
"""
    twilio.configure(LINES["twilio"], rules=rule)
    lead, _ = lead_with_call()
    with clock.frozen(NOON):
        made = place(twilio, lead)
        twilio.work()
        play_twilio(twilio, every(CallOrder)[0].token)
        assert (every(Activity)[0].outcome, every(Lead)[0].score) == ("answered", 0)
        asked = {"outcome": "wrong number", "note": "A bakery"}
        answer = twilio.ask("POST", f"/calls/{made['id']}/outcome", json=asked, role="agent")
        assert (answer.status_code, answer.json["order"]["outcome"]) == (200, "wrong number")
    assert (every(Activity)[0].outcome, every(Lead)[0].status.value, every(Lead)[0].score) == (
        "wrong number",
        "junk",
        1,
    )
    assert "Outcome of the call: wrong number. A bakery" in [e.summary for e in every(TimelineEntry)]
    with clock.frozen(NOON + timedelta(minutes=11)):
        assert call_outcomes.tell() == 0


def test_where_the_agent_says_nothing_rules_hear_it_after_a_while(twilio: House) -> None:
    twilio.configure(LINES["twilio"], rules="  - {name: any, on: activity.completed, do: [{score: 1}]}")
    lead, _ = lead_with_call()
    with clock.frozen(NOON):
        place(twilio, lead)
        twilio.work()
        play_twilio(twilio, every(CallOrder)[0].token)
        assert call_outcomes.tell() == 0
    with clock.frozen(NOON + timedelta(minutes=11)):
        assert (call_outcomes.tell(), call_outcomes.tell()) == (1, 0)
    assert every(Lead)[0].score == 1


def test_the_outcome_may_be_said_while_they_still_talk(twilio: House) -> None:
    lead, activity = lead_with_call()
    with clock.frozen(NOON):
        made = place(twilio, lead)
        twilio.work()
        twilio.ask("POST", f"/calls/{made['id']}/outcome", json={"outcome": "interested"})
        play_twilio(twilio, every(CallOrder)[0].token)
    (done,) = every(Activity)
    assert (done.id, done.state, done.outcome) == (activity, ActivityState.DONE, "interested")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"outcome": "delighted"}, 422, "outcome"),
        ({}, 422, "outcome"),
        ({"outcome": "busy", "note": "x" * 3000}, 422, "note"),
    ],
)
def test_an_outcome_that_is_none(twilio: House, body: Any, status: int, words: str) -> None:
    made = place(twilio, lead_with_call()[0])
    answer = twilio.ask("POST", f"/calls/{made['id']}/outcome", json=body)
    assert (answer.status_code, words in answer.text) == (status, True)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "contact or phone is needed"),
        ({"lead": 99}, 404, "no such lead"),
        ({"agent": "bruno@acme.test"}, 422, "has no `phone`"),
        ({"agent": "nobody@acme.test"}, 422, "no such user"),
        ({"phone": "190"}, 422, "no number that can be called"),
        ({"phone": "anonymous"}, 422, "no number that can be called"),
        ({"phone": "1" * 40}, 422, "no number that can be called"),
        ({"phone": OURS}, 422, "one of our own lines"),
        ({"phone": ANA}, 422, "the agent's own telephone"),
        ({"line": "other"}, 422, "there is no line"),
        ({"activity": 77}, 422, "none of this lead's"),
        ({"colour": "red"}, 422, "colour"),
        ({"phone": "x" * 9999}, 422, "phone"),
    ],
)
def test_what_cannot_be_called_is_said_in_words(twilio: House, body: Any, status: int, words: str) -> None:
    lead, _ = lead_with_call()
    asked = {"lead": lead, "agent": "ana@acme.test", **body} if body else body
    answer = twilio.ask("POST", "/calls", json=asked)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert every(Call) == []


def test_without_an_agent_it_is_the_lead_s_owner_and_a_lead_without_a_number_is_not_called(
    twilio: House,
) -> None:
    with db.unit_of_work() as session:
        lead = enquire(session).lead
        lead_id = lead.id
    assert "whose telephone" in twilio.ask("POST", "/calls", json={"lead": lead_id}).text
    answer = twilio.ask("POST", "/calls", json={"lead": lead_id, "agent": "ana@acme.test"})
    assert (answer.status_code, "has no telephone number" in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{key: main, provider: twilio, auth_token: x, numbers: ['+551140000000']}", "no `account_sid`"),
        (f"{{key: main, provider: twilio, auth_token: x, account_sid: {ACCOUNT}}}", "no number of ours"),
        ("{key: main, provider: aircall, token: x}", "cannot be placed with aircall"),
        ("{key: main, provider: generic, secret: x}", "no `dial`"),
        ("{key: main, provider: generic, secret: x, dial: {url: 'https://pbx.test/'}}", "known again"),
    ],
)
def test_a_line_that_places_no_calls_says_why(house: House, line: str, words: str) -> None:
    house.configure(f"  - {line}")
    lead, _ = lead_with_call()
    asked = {"lead": lead, "agent": "ana@acme.test"}
    for body in (asked, asked | {"line": "main"}):
        answer = house.ask("POST", "/calls", json=body)
        assert (answer.status_code, words in answer.text) == (422, True), answer.text


def test_a_placeholder_that_is_not_known_is_refused_where_it_is_declared(house: House) -> None:
    with pytest.raises(Exception, match="'client_name' is not known"), db.unit_of_work() as session:
        configure_in(session, PEOPLE, lines=LINES["generic"].replace("client_number", "client_name"))


def test_who_only_reads_calls_nobody_and_two_clicks_are_one_call(twilio: House) -> None:
    lead, _ = lead_with_call()
    asked = {"lead": lead, "agent": "ana@acme.test"}
    assert twilio.ask("POST", "/calls", json=asked, role="read-only").status_code == 403
    first = place(twilio, lead)
    again = twilio.ask("POST", "/calls", json=asked)
    assert (again.status_code, "being called already" in again.text) == (409, True)
    twilio.work()
    assert len(twilio.provider.asked) == 1
    assert [c.id for c in every(Call)] == [first["id"]]


def test_a_request_that_is_sent_again_is_the_same_order(twilio: House) -> None:
    lead, _ = lead_with_call()
    asked = {"lead": lead, "agent": "ana@acme.test"}
    answers = [twilio.ask("POST", "/calls", json=asked, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [a.status_code for a in answers] == [202, 202]
    assert answers[0].json["id"] == answers[1].json["id"]
    other = twilio.ask(
        "POST", "/calls", json=asked | {"phone": "+5511912345679"}, headers={"Idempotency-Key": "k1"}
    )
    assert (other.status_code, "another body" in other.text) == (422, True)


def test_a_number_without_a_lead_is_called_too(twilio: House) -> None:
    answer = twilio.ask("POST", "/calls", json={"phone": "(11) 91234-0000", "agent": "ana@acme.test"})
    assert (answer.status_code, answer.json["to"], answer.json["lead_id"]) == (202, "+5511912340000", None)
    with clock.frozen(NOON):
        twilio.work()
        play_twilio(twilio, every(CallOrder)[0].token)
    assert every(Call)[0].result is CallResult.ANSWERED
    assert every(CallCommand)[0].state is CommandState.DONE
