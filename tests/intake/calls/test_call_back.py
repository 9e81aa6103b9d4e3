"""A missed call is called back once, whatever else is told of it and whatever has become of the plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core import clock, db
from crm import activities
from intake import journal
from intake.calls.twilio import Twilio, TwilioLine
from intake.delivery import Delivery
from models.activity import Activity, ActivityState
from models.call import Call, CallResult
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.source import Channel
from models.timeline import TimelineEntry
from tests.factories import configure, enquire, source
from tests.servers.twilio import missed_call, signed
from worker import executor

LINES = "  - {key: main, provider: twilio, auth_token: x, numbers: ['+551140000000']}"
RULES = '  - {name: r, on: call.missed, do: [schedule: {type: call, subject: "Ring back", due: 5 minutes}]}'
LINE = TwilioLine.model_validate({"key": "main", "provider": "twilio", "auth_token": "x"})
CALLER = "+5511912345678"
NOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("line")


@pytest.fixture
def line(database: db.Database) -> None:
    configure(lines=LINES)


def tell(*callbacks: dict[str, str]) -> list[EventState]:
    """Journals and processes each callback; the states they end in."""
    states = []
    for params in callbacks:
        _, body = signed("https://x.test", params, "x")
        made = Delivery(body=body, content_type="application/x-www-form-urlencoded", received_at=clock.now())
        with db.unit_of_work() as session:
            key = Twilio().dedupe_key(made, LINE)
            entry = journal.Entry(source(session, "main", Channel.CALL).id, "twilio", key, made)
            event_id = journal.append(session, [entry])[0].event_id
        executor.process_event(event_id)
        with db.reading() as session:
            states.append(session.get_one(InboundEvent, event_id).state)
    return states


def every(table: type) -> list[Any]:
    with db.reading() as session:
        return list(session.scalars(select(table).order_by(table.id)))  # type: ignore[attr-defined]


def call(call_id: str = "CA1", **said: str) -> dict[str, str]:
    common = {"CallSid": call_id, "From": CALLER, "To": "+551140000000", "Direction": "inbound"}
    return common | {"CallStatus": "completed"} | said


def message(call_id: str = "CA1") -> dict[str, str]:
    return {
        "CallSid": call_id,
        "RecordingSid": f"RE{call_id}",
        "RecordingStatus": "completed",
        "RecordingSource": "RecordVerb",
        "RecordingUrl": f"https://api.twilio.com/RE{call_id}",
    }


def settle(outcome: ActivityState = ActivityState.DONE) -> None:
    with db.unit_of_work() as session:
        session.scalars(select(Activity)).one().state = outcome


@pytest.mark.parametrize("late", [message(), call(CallDuration="20"), call(DialCallStatus="busy")])
def test_what_is_told_late_of_a_call_that_was_called_back_plans_nothing_more(late: dict[str, str]) -> None:
    assert tell(call(CallStatus="no-answer")) == [EventState.PROCESSED]
    settle()
    assert tell(late) == [EventState.PROCESSED]
    assert [a.state for a in every(Activity)] == [ActivityState.DONE]


def test_each_missed_call_makes_the_plan_more_urgent_once() -> None:
    with clock.frozen(NOON):
        tell(call("CA1", DialCallStatus="no-answer"), call("CA1", CallDuration="9"), message("CA1"))
    with clock.frozen(NOON + timedelta(minutes=5)):
        tell(call("CA2", DialCallStatus="no-answer"), call("CA2", CallDuration="9"), message("CA2"))
    (activity,) = every(Activity)
    assert activity.urgency == 1


def test_a_second_call_that_rang_before_the_first_was_over_makes_the_plan_more_urgent() -> None:
    first, second = missed_call("CA1", CALLER), missed_call("CA2", CALLER)
    with clock.frozen(NOON):
        tell(first[1], second[1])
    with clock.frozen(NOON + timedelta(seconds=30)):
        tell(first[2])
    with clock.frozen(NOON + timedelta(seconds=40)):
        tell(second[2])
    (activity,) = every(Activity)
    assert activity.urgency == 1


def test_a_call_missed_after_the_last_one_was_called_back_is_planned_anew() -> None:
    with clock.frozen(NOON):
        tell(call("CA1", CallStatus="no-answer"))
    settle()
    with clock.frozen(NOON + timedelta(hours=1)):
        tell(call("CA2", CallStatus="no-answer"))
    assert [a.state for a in every(Activity)] == [ActivityState.DONE, ActivityState.PLANNED]


def test_a_call_that_turns_out_to_be_missed_is_planned_once_and_told_on_the_timeline() -> None:
    late = call(CallStatus="completed", DialCallStatus="no-answer")
    with clock.frozen(NOON):
        tell(call(CallDuration="20"), late, late, call(CallDuration="20", SequenceNumber="3"))
    (made,), (lead,), (activity,) = every(Call), every(Lead), every(Activity)
    assert (made.result, made.lead_id, activity.lead_id) == (CallResult.MISSED, lead.id, lead.id)
    assert activity.due_at == NOON + timedelta(minutes=15)
    told = [e.summary for e in every(TimelineEntry) if e.kind == "call"]
    assert told == [f"Call answered, 20 s: {CALLER}", f"Call missed: {CALLER}"]
    assert len([e for e in every(TimelineEntry) if e.kind == "submission"]) == 1


def test_a_call_that_a_rule_has_planned_for_it_counts_and_is_not_urgent_already() -> None:
    configure(lines=LINES, rules=RULES)
    tell(*missed_call("CA1", CALLER), message("CA1"))
    assert [(a.subject, a.urgency) for a in every(Activity)] == [("Ring back", 0)]


def test_a_call_planned_before_the_call_was_missed_becomes_more_urgent() -> None:
    with db.unit_of_work() as session:
        lead = enquire(session, phones=(CALLER,)).lead
        activities.plan(session, lead, type="call", subject="Call", due_at=NOON, actor="service")
        activities.plan(session, lead, type="task", subject="Think", due_at=NOON, actor="service")
    tell(*missed_call("CA1", CALLER), message("CA1"))
    assert [(a.subject, a.urgency) for a in every(Activity)] == [("Call", 1), ("Think", 0)]


def test_a_message_left_for_us_is_to_be_called_back() -> None:
    recorded = {"RecordingSid": "RE1", "RecordingUrl": "https://api.twilio.com/RE1", "RecordingDuration": "9"}
    tell(call(**recorded, Digits="hangup"), call(CallDuration="20"))
    assert [c.result for c in every(Call)] == [CallResult.VOICEMAIL]
    assert len(every(Activity)) == 1


def test_a_missed_call_of_a_known_lead_is_planned_on_that_lead() -> None:
    with db.unit_of_work() as session:
        lead_id = enquire(session, phones=(CALLER,)).lead.id
    tell(call(CallStatus="busy"))
    assert [lead.id for lead in every(Lead)] == [lead_id]
    assert [(a.lead_id, a.subject) for a in every(Activity)] == [(lead_id, "Call back Maria Souza")]
    assert [e.summary for e in every(TimelineEntry) if e.kind == "call"] == [f"Call busy: {CALLER}"]
