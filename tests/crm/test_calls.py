"""One call out of its events, whatever their order; and what comes of it."""

from __future__ import annotations

import itertools
import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from core import clock, db
from crm.calls import derive, merge, remember
from crm.submission import CallUpdate
from intake import journal
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
DIAL_MISSED = update("dial:no-answer", 59, result=CallResult.MISSED, final=True)
DIAL_TALKED = update("dial:completed", 59, result=CallResult.ANSWERED, final=True, talk_seconds=40)
RECORDED = CallUpdate(call_id="CA1", event="recording:RE1", recording_url="https://api.twilio.com/RE1")
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
    for event in events:
        values = {f: getattr(event, f) for f in event.__slots__} | {"call_id": call_id}
        with database.unit_of_work() as session:
            line = source(session, "main", Channel.CALL)
            merged = merge(session, CallUpdate(**values), source=line, provider="twilio", country="BR")
    with database.reading() as session:
        call = session.get_one(Call, merged.call.id)
        assert (call.result, call.talk_seconds, call.ring_seconds) == RESULTS[name]
        assert call.direction == "inbound"


def test_a_call_without_an_end_has_no_result() -> None:
    view = derive(facts([RING, PICK]))
    assert (view.result, view.talk_seconds, view.answered_at) == (None, None, at(9))


def test_an_end_before_the_start_makes_no_negative_time() -> None:
    view = derive(facts([update("status:ringing", 100, started_at=at(100)), NOBODY]))
    assert (view.ring_seconds, view.talk_seconds) == (0, 0)


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
        receipt = writer.journal(journal.Entry(source_id, "twilio", "same", made))
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
