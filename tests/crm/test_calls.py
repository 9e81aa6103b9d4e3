"""One call out of its events, whatever their order; and what comes of it."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from core import clock, db
from crm import call_view
from crm.call_view import derive, remember
from crm.callers import submission_of
from crm.calls import Merged, merge
from crm.own_numbers import OwnNumbers
from crm.submission import CallUpdate
from intake import calls, journal
from intake.delivery import Delivery
from intake.writer import Writer
from models.activity import Activity
from models.call import Call, CallResult
from models.lead import Lead
from models.source import Channel
from models.timeline import TimelineEntry
from tests.factories import configure, enquire, source
from tests.servers.twilio import missed_call, signed
from worker import executor

AT = datetime(2026, 11, 23, 18, 29, tzinfo=UTC)
LINES = "  - {key: main, provider: twilio, auth_token: x, numbers: ['+551140000000']}"
CALLER = "+5511912345678"


def update(event: str, seconds: int, **more: Any) -> CallUpdate:
    values: dict[str, Any] = {"direction": "inbound", "from_number": CALLER, "to_number": "+551140000000"}
    at = AT + timedelta(seconds=seconds)
    return CallUpdate(call_id="CA1", event=event, occurred_at=at, **(values | more))


def at(seconds: int) -> datetime:
    return AT + timedelta(seconds=seconds)


RING = update("status:ringing", 1, started_at=at(1))
PICK = update("status:in-progress", 9, answered_at=at(9))
DONE = update(
    "status:completed", 60, result=CallResult.ANSWERED, final=True, ended_at=at(60), talk_seconds=51
)
NOBODY = update("status:no-answer", 31, result=CallResult.MISSED, final=True, ended_at=at(31), talk_seconds=0)
DIAL_MISSED = update("dial:no-answer", 59, result=CallResult.MISSED, final=True, decisive=True)
DIAL_TALKED = update(
    "dial:completed", 59, result=CallResult.ANSWERED, final=True, decisive=True, talk_seconds=40
)
RECORDED = CallUpdate(call_id="CA1", event="recording:RE1", recording_url="https://api.twilio.com/RE1")
VOICEMAIL = CallUpdate(call_id="CA1", event="recording:RE2", result=CallResult.VOICEMAIL)
GROUPS = {
    "answered": [RING, PICK, DONE, RECORDED],
    "missed": [RING, NOBODY],
    "missed behind a menu": [RING, PICK, DIAL_MISSED, DONE],
    "put through": [RING, PICK, DIAL_TALKED, DONE, RECORDED],
    "tried twice": [RING, PICK, DIAL_MISSED, DIAL_TALKED, DONE],
    "withheld": [
        update("status:ringing", 1, from_number=None, withheld=True),
        update("status:no-answer", 9, from_number=None, withheld=True, result=CallResult.MISSED, final=True),
    ],
}
RESULTS = {
    "answered": ("answered", 51, 8),
    "missed": ("missed", 0, 30),
    "missed behind a menu": ("missed", 0, 59),
    "put through": ("answered", 40, 8),
    "tried twice": ("answered", 40, 8),
    "withheld": ("missed", 0, None),
}


def facts(events: list[CallUpdate]) -> dict[str, Any]:
    """As merge keeps them."""
    found: dict[str, Any] = {}
    for event in events:
        found = remember(found, event)
    return found


@pytest.mark.parametrize("name", GROUPS)
def test_a_call_is_the_same_in_every_order(name: str) -> None:
    views = {derive(facts(list(order))) for order in itertools.permutations(GROUPS[name])}
    assert len(views) == 1
    view = views.pop()
    assert (view.result, view.talk_seconds, view.ring_seconds) == RESULTS[name]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(GROUPS)), seed=st.integers(0, 10_000), copies=st.integers(1, 3))
def test_the_row_does_not_depend_on_order_or_repetition(
    database: db.Database, name: str, seed: int, copies: int
) -> None:
    with database.reading() as session:
        known = session.scalar(select(func.count()).select_from(Call))
    if known == 0:
        configure(lines=LINES)
    events = GROUPS[name] * copies
    random.Random(seed).shuffle(events)
    call_id = f"{name}-{seed}-{copies}"
    with database.unit_of_work() as session:
        line = source(session, "main", Channel.CALL)
        for event in events:
            told = replace(event, call_id=call_id)
            merged = merge(session, told, source=line, provider="twilio", country="BR")
    with database.reading() as session:
        call = session.get_one(Call, merged.call.id)
        assert (call.result, call.talk_seconds, call.ring_seconds) == RESULTS[name]
        assert call.direction == "inbound"


def updates(file: Path) -> list[CallUpdate]:
    """What Twilio's adapter makes of a fixture's events, as they came."""
    fixture = json.loads(file.read_text())
    adapter = calls.BY_NAME["twilio"]
    line = adapter.settings.model_validate({"key": "main", "provider": "twilio", **fixture["line"]})
    return [
        adapter.parse(
            Delivery(
                body=event["body"].encode(),
                content_type=event["headers"]["Content-Type"],
                received_at=AT,
                url=event["url"],
            ),
            line,
        )
        for event in fixture["events"]
    ]


FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "calls" / "twilio").glob("call_*.json"))
#: Of longer calls, so many orders; all orders of all calls are tried without a database.
_ORDERS = 40


def view_of(merged: Merged) -> dict[str, Any]:
    call = merged.call
    names = (
        "direction",
        "from_number",
        "to_number",
        "result",
        "ring_seconds",
        "talk_seconds",
        "recording_url",
        "answered_by",
    )
    moments = ("started_at", "answered_at", "ended_at")
    return {name: getattr(call, name) for name in names} | {
        name: getattr(call, name).isoformat() if getattr(call, name) else None for name in moments
    }


@pytest.mark.parametrize("file", FIXTURES, ids=lambda f: f.stem)
def test_each_call_of_the_fixtures_is_the_same_row_in_every_order(database: db.Database, file: Path) -> None:
    configure(lines=LINES)
    events, becomes = updates(file), json.loads(file.read_text())["becomes"]
    over = becomes["result"] is not None
    with database.unit_of_work() as session:
        line = source(session, "main", Channel.CALL)
        # Each once, and one of them twice.
        orders = sorted(
            {order for again in events for order in itertools.permutations([*events, again])}, key=repr
        )
        random.Random(7).shuffle(orders)
        for number, order in enumerate(orders[:_ORDERS]):
            flags = []
            for update in order:
                told = replace(update, call_id=f"CA{number}")
                merged = merge(session, told, source=line, provider="twilio", country="BR")
                flags.append((merged.started, merged.ended))
            view = view_of(merged)
            assert {field: view[field] for field in becomes} == becomes, [u.event for u in order]
            assert [started for started, _ in flags] == [True, *[False] * len(events)]
            assert sum(ended for _, ended in flags) == over
            assert len(merged.call.facts) == len(events)


CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine too
MOMENTS = st.none() | st.integers(-100, 100).map(at)
UPDATES = st.builds(
    CallUpdate,
    call_id=st.just("CA1"),
    event=st.sampled_from(
        ["status:ringing", "status:completed", "dial:no-answer", "dial:completed", "recording:1"]
    ),
    occurred_at=MOMENTS,
    sequence=st.none() | st.integers(0, 3),
    direction=st.sampled_from([None, "inbound", "outbound"]),
    from_number=st.sampled_from([None, CALLER, "sip:bob@x", "+"]),
    to_number=st.sampled_from([None, "+551140000000"]),
    result=st.none() | st.sampled_from(CallResult),
    final=st.booleans(),
    decisive=st.booleans(),
    started_at=MOMENTS,
    answered_at=MOMENTS,
    ended_at=MOMENTS,
    talk_seconds=st.none() | st.integers(0, 50),
    recording_url=st.none() | st.just("https://api.twilio.com/RE1"),
    caller_name=st.none() | st.just("Ana"),
    withheld=st.booleans(),
)


@CALM
@given(data=st.data(), events=st.lists(UPDATES, min_size=1, max_size=6))
def test_whatever_the_events_say_their_order_and_number_change_nothing(
    data: st.DataObject, events: list[CallUpdate]
) -> None:
    one = derive(facts(events))
    order = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=4))))
    stored = json.loads(json.dumps(dict(reversed(facts(order).items()))))
    assert derive(stored) == one
    assert one.ring_seconds is None or one.ring_seconds >= 0
    assert one.talk_seconds is None or one.talk_seconds >= 0
    assert (one.talk_seconds is None) == (one.result is None)


@CALM
@given(events=st.lists(UPDATES, min_size=1, max_size=6))
def test_a_call_that_is_over_is_never_under_way_again(events: list[CallUpdate]) -> None:
    over = [derive(facts(events[: n + 1])).result is not None for n in range(len(events))]
    assert over == sorted(over)


def test_of_a_call_of_hundreds_of_events_those_are_kept_that_tell_most_in_whatever_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_view, "MOST_EVENTS", 5)
    rung = [CallUpdate("c", "ringing", leg=f"l{n}", direction="outbound") for n in range(20)]
    end = CallUpdate("c", "end", direction="inbound", result=CallResult.ANSWERED, final=True, decisive=True)
    found = []
    for seed in range(20):
        events = [*rung, end]
        random.Random(seed).shuffle(events)
        facts: dict[str, Any] = {}
        for event in [*events, *events[:7]]:
            facts = remember(facts, event)
        found.append(facts)
    assert len(found[0]) == 5
    assert all(facts == found[0] for facts in found)
    assert derive(found[0]).result is CallResult.ANSWERED


def test_a_call_without_an_end_has_no_result() -> None:
    view = derive(facts([RING, PICK]))
    assert (view.result, view.talk_seconds, view.answered_at) == (None, None, at(9))


def test_an_end_before_the_start_makes_no_negative_time() -> None:
    view = derive(facts([update("status:ringing", 100, started_at=at(100)), NOBODY]))
    assert (view.ring_seconds, view.talk_seconds) == (0, 0)


def test_a_time_longer_than_any_call_is_not_known() -> None:
    far = datetime(9999, 12, 31, tzinfo=UTC)
    view = derive(facts([RING, replace(NOBODY, ended_at=far)]))
    assert (view.result, view.ring_seconds) == ("missed", None)
    view = derive(facts([PICK, replace(DONE, ended_at=far, talk_seconds=None)]))
    assert (view.result, view.talk_seconds) == ("answered", 0)


def test_an_end_of_no_duration_was_no_answer() -> None:
    done = update(
        "status:completed", 60, result=CallResult.ANSWERED, final=True, ended_at=at(60), talk_seconds=0
    )
    assert derive(facts([RING, PICK, done])).result == "missed"


def test_facts_of_an_older_release_are_still_understood() -> None:
    older = {"old": {"event": "status:busy", "result": "busy", "final": True, "direction": "inbound"}}
    assert derive(older).result == "busy"


def merged(database: db.Database, *events: CallUpdate) -> list[Merged]:
    with database.unit_of_work() as session:
        line = source(session, "main", Channel.CALL)
        return [merge(session, event, source=line, provider="twilio", country="BR") for event in events]


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize(
    ("events", "ended", "changed", "before"),
    [
        ([RING, PICK, DONE], [0, 0, 1], [0, 0, 0], [None, None, None]),
        ([DONE, RING, DONE], [1, 0, 0], [0, 0, 0], [None, "answered", "answered"]),
        ([DONE, DIAL_MISSED], [1, 0], [0, 1], [None, "answered"]),
        ([DIAL_MISSED, DONE, DIAL_TALKED], [1, 0, 0], [0, 0, 1], [None, "missed", "missed"]),
        ([DONE, VOICEMAIL], [1, 0], [0, 1], [None, "answered"]),
        # One way of missing for another is no news for who is to call back.
        ([NOBODY, VOICEMAIL], [1, 0], [0, 0], [None, "missed"]),
        ([VOICEMAIL, NOBODY], [0, 1], [0, 0], [None, None]),
        # An end is no news until it is known who called whom.
        ([replace(NOBODY, direction=None), RING, NOBODY], [0, 1, 0], [0, 0, 0], [None, None, "missed"]),
    ],
)
def test_each_event_tells_what_it_changed(
    database: db.Database, events: list[CallUpdate], ended: list[int], changed: list[int], before: list[Any]
) -> None:
    found = merged(database, *events)
    assert [m.started for m in found] == [True, *[False] * (len(events) - 1)]
    assert [m.ended for m in found] == ended
    assert [m.changed_result for m in found] == changed
    assert [m.before for m in found] == before


@pytest.mark.usefixtures("line")
def test_events_of_one_call_merged_at_once_wait_for_each_other(database: db.Database) -> None:
    events = [RING, PICK, DIAL_TALKED, DONE, RECORDED]
    raised: list[Exception] = []

    def deliver(event: CallUpdate) -> None:
        try:
            with database.unit_of_work() as session:
                line = source(session, "main", Channel.CALL)
                merge(session, event, source=line, provider="twilio", country="BR")
                time.sleep(0.05)  # long enough for all others to have begun
        except Exception as error:  # noqa: BLE001  shown below, in the test's own thread
            raised.append(error)

    threads = [threading.Thread(target=deliver, args=(event,)) for event in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    assert only(Call).facts == facts(events)


@pytest.mark.usefixtures("line")
def test_a_call_is_one_per_line(database: db.Database) -> None:
    configure(lines=LINES + "\n  - {key: other, provider: twilio, auth_token: x}")
    with database.unit_of_work() as session:
        for key in ("main", "other", "main"):
            line = source(session, key, Channel.CALL)
            merge(session, NOBODY, source=line, provider="twilio", country="BR")
    assert count(Call) == 2


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize(
    ("raw", "number", "phones"),
    [
        ("+5511912345678", CALLER, (CALLER,)),
        ("(11) 91234-5678", CALLER, (CALLER,)),
        ("sip:+5511912345678@trunk.example.com", CALLER, (CALLER,)),
        ("sip:bob@pbx.example.com", "sip:bob@pbx.example.com", ()),
        ("sip:5511912345678@pbx.example.com", "sip:5511912345678@pbx.example.com", ()),
        ("client:1234567890", "client:1234567890", ()),
        ("190", "190", ()),
        ("+", "+", ()),
        ("1-800-FLOWERS", "1-800-FLOWERS", ()),
        ("+" + "1" * 40, "+" + "1" * 40, ()),
        ("+551140000000", "+551140000000", ()),
        (None, None, ()),
    ],
)
def test_a_caller_is_known_by_a_number_of_the_public_network_only(
    database: db.Database, raw: str | None, number: str | None, phones: tuple[str, ...]
) -> None:
    (found,) = merged(database, replace(NOBODY, from_number=raw))
    assert found.call.from_number == number
    enquiry = submission_of(found.call, own=OwnNumbers(frozenset({"+551140000000"})))
    assert enquiry is not None
    assert (enquiry.phones, enquiry.name) == (phones, "")
    assert enquiry.title == f"Missed call from {number or 'a withheld number'}"
    assert enquiry.occurred_at == at(31)


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize(
    ("hint", "kept"),
    [
        ("MARIA SOUZA", True),
        ("Łódź Sp. z o.o.", True),
        ("Unknown", False),
        ("+12025550143", False),
        ("V123", False),
    ],
)
def test_the_network_s_name_for_a_caller_is_a_hint_where_it_is_a_name(
    database: db.Database, hint: str, kept: bool
) -> None:
    (_, found) = merged(database, RING, replace(NOBODY, caller_name=hint))
    enquiry = submission_of(found.call, own=OwnNumbers())
    assert enquiry is not None
    assert enquiry.extra == ({"caller_name": hint} if kept else {})
    assert enquiry.name == ""


@pytest.mark.usefixtures("line")
def test_a_call_that_goes_on_and_one_that_goes_out_are_no_enquiry(database: db.Database) -> None:
    (ringing,) = merged(database, RING)
    assert submission_of(ringing.call, own=OwnNumbers()) is None
    (_, out) = merged(database, *(replace(e, call_id="CA2", direction="outbound") for e in (RING, NOBODY)))
    assert submission_of(out.call, own=OwnNumbers()) is None
    assert not out.missed


# From here on through the journal and the whole pipeline.


def tell(*callbacks: dict[str, str]) -> None:
    for params in callbacks:
        _, body = signed("https://x.test", params, "x")
        with db.unit_of_work() as session:
            entry = journal.Entry(
                source(session, "main", Channel.CALL).id,
                "twilio",
                f"k{hash(body)}",
                Delivery(
                    body=body, content_type="application/x-www-form-urlencoded", received_at=clock.now()
                ),
            )
            event_id = journal.append(session, [entry])[0].event_id
        executor.process_event(event_id)


def count(table: type) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def line(database: db.Database) -> None:
    configure(lines=LINES)


def only(table: type) -> Any:
    with db.reading() as session:
        return session.scalars(select(table)).one()


@pytest.mark.usefixtures("line")
def test_a_missed_call_is_a_lead_to_call_back() -> None:
    with clock.frozen(datetime(2026, 11, 23, 15, 0, tzinfo=UTC)):
        tell(*missed_call("CA1", CALLER))
    call, lead, activity = only(Call), only(Lead), only(Activity)
    assert (call.result, call.lead_id, lead.phone) == (CallResult.MISSED, lead.id, CALLER)
    assert (activity.type, activity.subject) == ("call", f"Call back {CALLER}")
    assert activity.due_at == datetime(2026, 11, 23, 15, 15, tzinfo=UTC)


@pytest.mark.usefixtures("line")
def test_the_end_of_a_call_may_come_first() -> None:
    tell(*reversed(missed_call("CA1", CALLER)))
    assert (count(Call), count(Lead), count(Activity)) == (1, 1, 1)
    assert only(Call).ring_seconds == 31


@pytest.mark.usefixtures("line")
def test_the_same_callback_fifty_times_at_once_is_one_call_one_lead_one_activity() -> None:
    writer = Writer()
    _, body = signed("https://x.test", missed_call("CA1", CALLER)[2], "x")
    with db.reading() as session:
        source_id = source(session, "main", Channel.CALL).id

    def deliver() -> None:
        made = Delivery(body=body, content_type="application/x-www-form-urlencoded", received_at=clock.now())
        receipt = writer.journal([journal.Entry(source_id, "twilio", "same", made)])[0]
        executor.process_event(receipt.event_id)

    threads = [threading.Thread(target=deliver) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.stop()
    assert (count(Call), count(Lead), count(Activity)) == (1, 1, 1)


@pytest.mark.usefixtures("line")
def test_events_of_one_call_processed_at_once_are_one_call() -> None:
    threads = [threading.Thread(target=tell, args=(params,)) for params in missed_call("CA1", CALLER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (count(Call), count(Lead), count(Activity)) == (1, 1, 1)


@pytest.mark.usefixtures("line")
def test_a_known_caller_s_call_is_on_the_open_lead() -> None:
    with db.unit_of_work() as session:
        lead_id = enquire(session, phones=(CALLER,)).lead.id
    tell(*missed_call("CA1", CALLER))
    assert only(Lead).id == lead_id
    with db.reading() as session:
        kinds = session.scalars(select(TimelineEntry.kind).where(TimelineEntry.lead_id == lead_id)).all()
    assert "call" in kinds


@pytest.mark.usefixtures("line")
def test_repeated_missed_calls_make_one_activity_more_urgent() -> None:
    for n in range(3):
        tell(*missed_call(f"CA{n}", CALLER))
    assert (count(Call), count(Lead), count(Activity), only(Activity).urgency) == (3, 1, 1, 2)


@pytest.mark.usefixtures("line")
def test_withheld_callers_are_never_taken_for_one() -> None:
    tell(*missed_call("CA1", "Anonymous"), *missed_call("CA2", "Anonymous"))
    assert (count(Call), count(Lead)) == (2, 2)


@pytest.mark.usefixtures("line")
def test_our_own_number_is_never_a_customer() -> None:
    tell(*missed_call("CA1", "+551140000000"))
    assert only(Lead).phone is None


@pytest.mark.usefixtures("line")
def test_an_outgoing_call_makes_no_lead() -> None:
    tell(*({**params, "Direction": "outbound-api"} for params in missed_call("CA1", CALLER)))
    assert (count(Call), count(Lead)) == (1, 0)


@pytest.mark.usefixtures("line")
def test_a_late_dial_result_corrects_the_call_and_doubles_nothing() -> None:
    common = {"CallSid": "CA1", "From": CALLER, "To": "+551140000000", "Direction": "inbound"}
    tell({**common, "CallStatus": "completed", "CallDuration": "20"})
    assert (only(Call).result, count(Activity)) == (CallResult.ANSWERED, 0)
    tell({**common, "CallStatus": "completed", "DialCallStatus": "no-answer"})
    assert (only(Call).result, count(Lead), count(Activity)) == (CallResult.MISSED, 1, 1)
