"""A provider asks whom to ring: who is rung, why, in time whatever is wrong, and one call out of all of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError
from sqlalchemy import select

from core import clock, db
from core.errors import Unavailable
from core.settings import settings
from crm import leads
from intake import reception, sources
from intake.calls import BY_NAME
from intake.calls.connect import Question
from models.activity import Activity
from models.call import Call, CallResult
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.source import Channel
from models.timeline import TimelineEntry
from models.user import User
from rules.reception import Reception
from tests.factories import NOON, configure, enquire
from tests.servers import telephony
from tests.web import application
from worker import executor

PEOPLE = """
workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL}
users:
  - {email: ana@acme.test, name: Ana, phone: '+5511999990001', extension: '101'}
  - {email: bruno@acme.test, name: Bruno, phone: '+5511999990002', skills: [enterprise]}
  - {email: clara@acme.test, name: Clara, role: manager, extension: '103'}
teams: [{key: inbound, members: [ana@acme.test, bruno@acme.test, clara@acme.test], calendar: office}]
calendars: [{key: office, hours: {mon-fri: "09:00-18:00"}}]
forms: [{key: contact}]
"""
FALLBACK = "+551140009999"
CONNECT = f"numbers: ['+551140000000'], team: inbound, connect: {{fallback: '{FALLBACK}', ring_seconds: 15}}"
LINES = "".join(
    f"  - {{key: {key}, provider: {provider}, {secret}, {CONNECT if provider == 'twilio' else CONNECT.replace('+551140000000', number)}}}\n"
    for key, provider, secret, number in (
        ("main", "twilio", f"auth_token: {telephony.LINES['twilio']['auth_token']}", ""),
        ("pbx", "generic", f"secret: {telephony.LINES['generic']['secret']}", "+551140000001"),
        ("texml", "telnyx", f"public_key: '{telephony.LINES['telnyx']['public_key']}'", "+551140000002"),
        (
            "wire",
            "signalwire",
            f"signing_key: {telephony.LINES['signalwire']['signing_key']}",
            "+551140000003",
        ),
    )
)
CALLER = "+5511912345678"
AT_NIGHT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.fixture
def client(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "https://in.acme.test")
    settings.cache_clear()
    configure(PEOPLE, lines=LINES)
    monkeypatch.setattr(reception, "BUDGET", 80.0)  # what is not about time takes what it needs
    monkeypatch.setattr(reception, "LOOKING", 60.0)
    with application() as app:
        yield app.test_client()


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


def post(client: FlaskClient, provider: str, key: str, said: dict[str, Any], query: str = "") -> Any:
    url = f"https://in.acme.test/in/calls/{provider}/{key}{query}"
    method, url, headers, body = telephony.request(provider, url, said, clock.now())
    return client.open(telephony.path_of(url), method=method, headers=headers, data=body)


def voice(sid: str = "CA1", caller: str = CALLER, **more: str) -> dict[str, str]:
    return {"CallSid": sid, "CallStatus": "ringing", "Direction": "inbound", "From": caller,
            "To": "+551140000000", "AccountSid": "AC1", "ApiVersion": "2010-04-01", **more}  # fmt: skip


def rung(client: FlaskClient, sid: str = "CA1", caller: str = CALLER) -> str:
    """The number that Twilio is told to ring."""
    answer = post(client, "twilio", "main", voice(sid, caller))
    assert answer.status_code == 200, answer.text
    return ElementTree.fromstring(answer.data).findtext("Dial/Number") or ""


def process() -> None:
    with db.reading() as session:
        waiting = session.scalars(
            select(InboundEvent.id).where(InboundEvent.state == EventState.RECEIVED).order_by(InboundEvent.id)
        ).all()
    for event_id in waiting:
        executor.process_event(event_id)


def every(table: type) -> list[Any]:
    with db.reading() as session:
        return list(session.scalars(select(table).order_by(table.id)))  # type: ignore[attr-defined]


def owned_by(email: str) -> None:
    with db.unit_of_work() as session:
        lead = enquire(session, phones=(CALLER,)).lead
        user = session.scalars(select(User).where(User.email == email)).one()
        leads.assign(session, lead, user, actor="service", why="test")


def change(email: str, **values: Any) -> None:
    with db.unit_of_work() as session:
        user = session.scalars(select(User).where(User.email == email)).one()
        for name, value in values.items():
            setattr(user, name, value)


def test_the_client_s_owner_is_rung_and_the_timeline_says_why(client: FlaskClient) -> None:
    owned_by("bruno@acme.test")
    answer = post(client, "twilio", "main", voice())
    dial = ElementTree.fromstring(answer.data).find("Dial")
    assert dial is not None
    assert dial.attrib["timeout"] == "15"
    assert dial.attrib["action"] == "https://in.acme.test/in/calls/twilio/main?then=fallback"
    number = dial.find("Number")
    assert number is not None
    assert (number.text, number.attrib["statusCallback"]) == (
        "+5511999990002",
        "https://in.acme.test/in/calls/twilio/main",
    )
    process()
    (call,) = every(Call)
    assert (call.rung_number, call.rung_why) == ("+5511999990002", "has this client")
    told = [e.summary for e in every(TimelineEntry) if e.kind == "put_through"]
    assert told == ["Put through to Bruno: has this client"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"active": False}, "has left"),
        ({"phone": None}, "has no telephone"),
        ({"absences": [{"from": "2026-11-20", "to": "2026-11-30", "reason": "holiday"}]}, "holiday until"),
        ({"calendar": "nights"}, "not at work now"),
    ],
)
def test_an_owner_who_cannot_answer_is_passed_over_for_the_team(
    client: FlaskClient, values: dict[str, Any], why: str
) -> None:
    calendars = '  - {key: office, hours: {mon-fri: "09:00-18:00"}}\n  - {key: nights, hours: {mon-sun: "22:00-23:00"}}\n'
    configure(
        PEOPLE.replace('calendars: [{key: office, hours: {mon-fri: "09:00-18:00"}}]', ""),
        calendars=calendars,
        lines=LINES,
    )
    owned_by("bruno@acme.test")
    change("bruno@acme.test", **values)
    assert rung(client) == "+5511999990001"
    process()
    (call,) = every(Call)
    assert call.rung_why.startswith(f"turn in inbound; Bruno, who has this client: {why}")


def test_a_team_is_rung_by_turn_and_whoever_is_on_the_telephone_is_not(client: FlaskClient) -> None:
    numbers = []
    for n in range(4):
        clock_ = NOON + timedelta(seconds=n)
        with clock.frozen(clock_):
            numbers.append(rung(client, f"CA{n}", f"+551191234567{n}"))
            process()
            post(client, "twilio", "main", {**voice(f"CA{n}", f"+551191234567{n}"), "CallStatus": "canceled"})
            process()
    assert numbers == ["+5511999990001", "+5511999990002"] * 2
    assert rung(client, "CA8") == "+5511999990001"
    process()
    assert rung(client, "CA9") == "+5511999990002"
    process()
    assert rung(client, "CA10") == FALLBACK
    process()
    assert "Ana: on the telephone" in every(Call)[-1].rung_why


def test_the_turn_goes_on_before_the_worker_has_seen_the_calls(client: FlaskClient) -> None:
    numbers = []
    for n, seconds in enumerate((0, 1, 2, 12, 13)):
        with clock.frozen(NOON + timedelta(seconds=seconds)):
            numbers.append(rung(client, f"CA{n}"))
    # Nobody is rung twice at a time: the third caller finds both being rung.
    both = ["+5511999990001", "+5511999990002"]
    assert numbers == [*both, FALLBACK, *both]


def test_two_processes_that_are_asked_at_once_ring_two_people(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either has decided."""
    chosen, choose = threading.Barrier(2), Reception.choose

    def at_once(self: Reception, others: Any) -> Any:
        found = choose(self, others)
        if not self._taken:
            chosen.wait(40)
        return found

    monkeypatch.setattr(Reception, "choose", at_once)
    assert client.application.extensions["reception"] is not None
    book = sources.book()
    source = book.sources[(Channel.CALL, "main")]
    line = source.read(BY_NAME["twilio"].settings)
    desks = [reception.Desk(), reception.Desk()]

    def ask(n: int) -> str:
        question = Question(f"CA{n}", CALLER)
        until = clock.monotonic() + 60
        return desks[n].connection(source, line, book.workspace, question, f"k{n}", until=until).number

    with ThreadPoolExecutor(2) as pool:
        numbers = list(pool.map(ask, range(2)))
    for desk in desks:
        desk.stop()
    assert sorted(numbers) == ["+5511999990001", "+5511999990002"]


def test_who_cannot_be_held_in_time_is_rung_all_the_same(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def busy(**_: Any) -> Iterator[Any]:
        raise Unavailable("the database is busy")
        yield

    monkeypatch.setattr(reception.db, "unit_of_work", busy)
    assert rung(client) == "+5511999990001"


def test_the_territory_that_a_rule_names_is_rung(client: FlaskClient) -> None:
    rules = "  - {name: By line, on: lead.created, do: [{assign: {territory: lines}}]}"
    table = "  - {key: lines, by: lead.source, table: {main: bruno@acme.test}, default: inbound}"
    configure(PEOPLE, lines=LINES, rules=rules, territories=table)
    assert rung(client, "CA1") == "+5511999990002"
    assert rung(client, "CA2") == "+5511999990001"  # Bruno is being rung; then the team of the line
    process()
    first, second = every(Call)
    assert first.rung_why == "the rule “By line”, territory lines; territory main"
    assert "Bruno: on the telephone" in second.rung_why


def test_whom_the_rules_would_give_the_lead_is_rung(client: FlaskClient) -> None:
    rules = """
  - {name: From Rio, on: lead.created, when: 'lead.channel == "call" && lead.phone.startsWith("+5521")', do: [{assign: {user: ana@acme.test}}]}
  - {name: Big ones, on: call.started, when: 'call.from == "+5511912345600"', do: [{assign: {team: inbound, skill: enterprise}}]}
"""
    configure(PEOPLE, lines=LINES, rules=rules)
    assert rung(client, "CA1", "+552112345678") == "+5511999990001"
    with clock.frozen(NOON + timedelta(seconds=11)):
        assert rung(client, "CA2", "+552112345678") == "+5511999990001"
        assert rung(client, "CA3", "+5511912345600") == "+5511999990002"
        process()
    assert [c.rung_why for c in every(Call)] == [
        "the rule “From Rio”, ana@acme.test",
        "the rule “From Rio”, ana@acme.test",
        "the rule “Big ones”, inbound; Ana: has not the skill enterprise; Clara: has not the skill enterprise",
    ]


def test_at_night_the_fallback_is_rung_and_told(client: FlaskClient) -> None:
    with clock.frozen(AT_NIGHT):
        assert rung(client) == FALLBACK
        process()
    (call,) = every(Call)
    assert call.rung_user_id is None
    assert call.rung_why.startswith("the fallback: nobody can be reached; Ana: not at work now")


def test_after_whoever_does_not_answer_the_fallback_is_rung_once_and_the_call_is_one(
    client: FlaskClient,
) -> None:
    assert rung(client) == "+5511999990001"
    leg = {"ParentCallSid": "CA1", "Direction": "outbound-dial", "To": "+5511999990001",
           "CallbackSource": "call-progress-events", "Timestamp": "Mon, 23 Nov 2026 15:00:02 +0000"}  # fmt: skip
    for n, status in enumerate(("initiated", "ringing", "no-answer")):
        post(
            client,
            "twilio",
            "main",
            {**voice("CA1-1"), **leg, "CallStatus": status, "SequenceNumber": str(n)},
        )
    ended = {"DialCallStatus": "no-answer", "DialCallSid": "CA1-1", "CallStatus": "in-progress"}
    answer = post(client, "twilio", "main", {**voice(), **ended}, "?then=fallback")
    dial = ElementTree.fromstring(answer.data).find("Dial")
    assert dial is not None
    assert dial.findtext("Number") == FALLBACK
    assert dial.attrib["action"] == "https://in.acme.test/in/calls/twilio/main"
    process()
    assert [c.result for c in every(Call)] == [None]
    assert every(Lead) == every(Activity) == []
    done = {
        "DialCallStatus": "completed",
        "DialCallSid": "CA1-2",
        "DialCallDuration": "42",
        "CallStatus": "in-progress",
    }
    answer = post(client, "twilio", "main", {**voice(), **done})
    assert answer.data.endswith(b"<Response/>")
    end = {"CallStatus": "completed", "CallDuration": "70", "Timestamp": "Mon, 23 Nov 2026 15:01:10 +0000"}
    post(client, "twilio", "main", {**voice(), **end})
    process()
    (call,), (lead,) = every(Call), every(Lead)
    assert (call.result, call.talk_seconds, call.rung_why) == (
        CallResult.ANSWERED, 42, "whoever was rung did not answer",
    )  # fmt: skip
    assert [e.summary for e in every(TimelineEntry) if e.kind == "put_through" and e.lead_id == lead.id] == [
        f"Put through to {FALLBACK}: whoever was rung did not answer"
    ]
    assert every(Activity) == []


def test_the_same_question_has_the_same_answer_and_moves_no_turn(client: FlaskClient) -> None:
    first = post(client, "twilio", "main", voice())
    again = post(client, "twilio", "main", voice())
    client.application.extensions["reception"] = reception.Desk()  # as in another process
    elsewhere = post(client, "twilio", "main", voice())
    assert first.data == again.data == elsewhere.data
    assert len(every(InboundEvent)) == 1
    process()
    assert rung(client, "CA2") == "+5511999990002"


def test_json_names_the_user_and_rings_extensions(client: FlaskClient) -> None:
    change("ana@acme.test", active=False)
    change("bruno@acme.test", active=False)
    said = {
        "call_id": "g1",
        "direction": "inbound",
        "from": CALLER,
        "to": "+551140000001",
        "status": "ringing",
    }
    answer = post(client, "generic", "pbx", {"type": "call.ringing", "data": said})
    assert json.loads(answer.data) == {
        "connect": {
            "number": "103", "name": "Clara", "email": "clara@acme.test", "extension": "103", "seconds": 15,
            "why": "turn in inbound; Ana: has left; Bruno: has left",
        },
        "fallback": FALLBACK,
    }  # fmt: skip
    ended = {**said, "status": "missed", "ended_at": NOON.isoformat()}
    assert post(client, "generic", "pbx", {"type": "call.ended", "data": ended}).data == b"{}"
    leg = {**said, "leg": "b", "call_id": "g1"}
    assert post(client, "generic", "pbx", {"type": "call.ringing", "data": leg}).data == b"{}"


@pytest.mark.parametrize(("provider", "key"), [("signalwire", "wire"), ("telnyx", "texml")])
def test_those_who_speak_twiml_s_language_are_answered_alike(
    client: FlaskClient, provider: str, key: str
) -> None:
    if provider == "telnyx":
        from urllib.parse import urlencode

        body = urlencode(voice()).encode()
        headers = telephony._signed_json("telnyx", body, clock.now(), telephony.LINES["telnyx"])
        answer = client.post(
            f"/in/calls/telnyx/{key}", data=body, headers={"Content-Type": telephony.FORM, **headers}
        )
    else:
        answer = post(client, provider, key, voice())
    assert ElementTree.fromstring(answer.data).findtext("Dial/Number") == "+5511999990001"


@pytest.mark.parametrize(
    "said",
    [
        {"CallStatus": "completed"},
        {"CallbackSource": "call-progress-events", "SequenceNumber": "0"},
        {"Direction": "outbound-dial"},
        {"From": "client:ana"},
    ],
)
def test_what_only_tells_is_answered_with_nothing(client: FlaskClient, said: dict[str, str]) -> None:
    assert post(client, "twilio", "main", {**voice(), **said}).data.endswith(b"<Response/>")


@pytest.mark.parametrize(
    "caller", ["", "+", "Anonymous", "sip:bob@x", "+" + "1" * 40, "+551140000000", "+5511999990001"]
)
def test_odd_callers_are_put_through_too(client: FlaskClient, caller: str) -> None:
    assert rung(client, caller=caller) in ("+5511999990001", "+5511999990002")


@pytest.fixture
def in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much time as there really is."""
    monkeypatch.setattr(reception, "BUDGET", 0.25)
    monkeypatch.setattr(reception, "LOOKING", 0.18)


def test_a_slow_database_costs_the_caller_no_more_than_the_time_it_has(
    client: FlaskClient, in_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def slowly(*_: Any) -> Any:
        assert answered.wait(30)
        raise AssertionError("nobody waits for this any more")

    monkeypatch.setattr(Reception, "choose", slowly)
    number = rung(client)
    answered.set()
    assert number == FALLBACK
    process()
    (call,) = every(Call)
    assert call.rung_why.startswith("the fallback: who is there was not known within")


def test_more_calls_at_once_than_can_be_looked_up_fall_back_at_once(
    client: FlaskClient,
) -> None:
    desk = client.application.extensions["reception"]
    for _ in range(8):
        desk._free.acquire()
    assert rung(client) == FALLBACK
    process()
    assert every(Call)[0].rung_why == "the fallback: too many calls came at once"


def test_without_the_database_the_caller_is_rung_through_and_the_call_is_journalled_later(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rung(client, "CA0")  # the lines are known by now

    @contextmanager
    def away(**_: Any) -> Iterator[Any]:
        raise Unavailable("the database does not answer")
        yield

    with monkeypatch.context() as patched:
        for name in ("reading", "unit_of_work"):
            patched.setattr(db, name, away)
        monkeypatch.setattr(sources, "_read_at", -1e9)
        assert rung(client) == FALLBACK
        assert post(client, "twilio", "main", {**voice(), "CallStatus": "completed"}).status_code == 503
    for _ in range(300):
        if len(every(InboundEvent)) == 2:
            break
        time.sleep(0.02)
    process()
    assert [c.rung_number for c in every(Call)] == ["+5511999990001", FALLBACK]


def test_whatever_breaks_inside_the_caller_is_rung_through(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reception, "choose", lambda *_: 1 / 0)
    assert rung(client) == FALLBACK


def test_a_question_that_nobody_signed_is_refused(client: FlaskClient) -> None:
    url = "https://in.acme.test/in/calls/twilio/main"
    _, _, headers, body = telephony.request("twilio", url, voice(), clock.now())
    answer = client.post("/in/calls/twilio/main?then=fallback", headers=headers, data=body)
    assert answer.status_code == 403
    assert every(InboundEvent) == []


@pytest.mark.parametrize("fallback", ["", "190", "+", "40009999", "+551140000000", "+" + "1" * 40])
def test_a_fallback_is_a_number_and_none_of_the_line_s(fallback: str) -> None:
    with pytest.raises(ValidationError):
        BY_NAME["twilio"].settings.model_validate(
            {"key": "main", "provider": "twilio", "auth_token": "t", "numbers": ["+551140000000"],
             "connect": {"fallback": fallback}}
        )  # fmt: skip
