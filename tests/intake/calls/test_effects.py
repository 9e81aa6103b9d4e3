"""What comes of calls, whoever their provider is: through the door, the journal and the pipeline."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db, http, storage
from core.errors import NotFound, Permanent, Retry
from core.settings import settings
from crm import activities, leads
from crm.conversion import Into, convert
from intake import journal, sources
from models.activity import Activity, ActivityState
from models.call import Call, CallResult
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.recording import Recording, RecordingState
from models.timeline import TimelineEntry
from models.user import User
from tests.factories import WORKSPACE, configure, enquire
from tests.servers import telephony
from tests.web import application
from worker import executor, lost_calls, recordings

SECRET = telephony.LINES["generic"]["secret"]
LINES = f"""  - {{key: main, provider: generic, secret: {SECRET}, numbers: ['+551140000000'], recording_hosts: [rec.test]}}
"""
WITH_ANA = WORKSPACE.replace("name: Ana}", "name: Ana, phone: '+5511999990001', extension: '101'}")
CALLER = "+5511912345678"
NOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
SOUND = b"ID3\x03\x00\x00\x00\x00\x00\x0a" + b"\xff\xfb\x90\x00" * 200
Tell = Callable[..., int]


Open = Callable[[str], FlaskClient]


@pytest.fixture
def door(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """The service with these lines."""
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "https://in.acme.test")
    settings.cache_clear()
    running = ExitStack()

    def opens(lines: str) -> FlaskClient:
        configure(WITH_ANA, lines=lines)
        sources.forget()
        return running.enter_context(application()).test_client()

    with running:
        yield opens


@pytest.fixture
def client(door: Open) -> FlaskClient:
    return door(LINES)


@pytest.fixture
def tell(client: FlaskClient) -> Tell:
    """Posts an event of a call as its provider would, and has it processed; the answer's status."""

    def told(provider: str = "generic", **said: Any) -> int:
        common = {"call_id": "c1", "direction": "inbound", "from": CALLER, "to": "+551140000000"}
        document = {"type": "call.event", "data": {**common, **said}}
        url = f"https://in.acme.test/in/calls/{provider}/main"
        method, url, headers, body = telephony.request(provider, url, document, clock.now())
        answer = client.open(telephony.path_of(url), method=method, headers=headers, data=body)
        _process()
        return answer.status_code

    return told


def _process() -> None:
    with db.reading() as session:
        waiting = list(
            session.scalars(
                select(InboundEvent.id)
                .where(InboundEvent.state == EventState.RECEIVED)
                .order_by(InboundEvent.id)
            )
        )
    for event_id in waiting:
        executor.process_event(event_id)


def every(table: type) -> list[Any]:
    with db.reading() as session:
        return list(session.scalars(select(table).order_by(table.id)))  # type: ignore[attr-defined]


def missed(tell: Tell, call_id: str = "c1", **said: Any) -> None:
    tell(call_id=call_id, status="missed", ended_at=clock.now().isoformat(), **said)


def test_an_outgoing_call_to_whoever_was_missed_is_the_call_back(tell: Tell) -> None:
    with clock.frozen(NOON):
        missed(tell)
    with clock.frozen(NOON + timedelta(minutes=5)):
        ours = {"direction": "outbound", "from": "+551140000000", "to": CALLER}
        at = clock.now().isoformat()
        tell(call_id="c2", status="answered", started_at=at, answered_at=at, talk_seconds=30, **ours)
    (lead,), (activity,) = every(Lead), every(Activity)
    assert (activity.state, activity.outcome) == (ActivityState.DONE, "answered")
    assert lead.first_response_at == NOON + timedelta(minutes=5)
    told = [e.summary for e in every(TimelineEntry) if e.kind == "call"]
    assert told == [f"Call missed: {CALLER}", f"Outgoing call answered, 30 s: {CALLER}"]


def test_a_new_answered_call_completes_the_call_back_and_an_earlier_one_does_not(tell: Tell) -> None:
    with clock.frozen(NOON):
        missed(tell)
        before = (NOON - timedelta(minutes=30)).isoformat()
        tell(call_id="c0", status="answered", answered_at=before, ended_at=before, talk_seconds=9)
        assert [a.state for a in every(Activity)] == [ActivityState.PLANNED]
    with clock.frozen(NOON + timedelta(minutes=5)):
        at = clock.now().isoformat()
        tell(call_id="c2", status="answered", answered_at=at, ended_at=at, talk_seconds=9)
    assert [a.state for a in every(Activity)] == [ActivityState.DONE]


def test_a_call_that_is_planned_for_later_stays_planned(tell: Tell) -> None:
    with db.unit_of_work() as session:
        lead = enquire(session, phones=(CALLER,)).lead
        later = clock.now() + timedelta(days=3)
        activities.plan(session, lead, type="call", subject="Follow up", due_at=later, actor="service")
    at = clock.now().isoformat()
    tell(call_id="c2", status="answered", answered_at=at, ended_at=at, talk_seconds=9)
    assert [a.state for a in every(Activity)] == [ActivityState.PLANNED]


def test_a_missed_call_of_which_we_hear_after_it_was_called_back_plans_nothing(tell: Tell) -> None:
    with db.unit_of_work() as session:
        enquire(session, phones=(CALLER,))
    with clock.frozen(NOON):
        late = (NOON - timedelta(minutes=10)).isoformat()
        ours = {"direction": "outbound", "from": "+551140000000", "to": CALLER}
        tell(call_id="c2", status="answered", started_at=NOON.isoformat(), talk_seconds=30, **ours)
        tell(call_id="c1", status="missed", ended_at=late)
    assert every(Activity) == []


@pytest.mark.parametrize(
    ("said", "leads"),
    [
        ({"from": "anonymous", "status": "missed"}, 1),
        ({"from": "anonymous", "status": "answered", "talk_seconds": 9}, 0),
        ({"from": "190", "status": "missed"}, 1),
        ({"from": "sip:bob@pbx.example.com", "status": "answered", "talk_seconds": 9}, 1),
        ({"from": "+551140000000", "status": "missed"}, 1),
        ({"from": "+5511999990001", "status": "missed"}, 0),
    ],
)
def test_who_is_an_enquiry(tell: Tell, said: dict[str, Any], leads: int) -> None:
    tell(**said)
    assert len(every(Call)) == 1
    found = every(Lead)
    assert len(found) == leads
    assert all(lead.phone is None for lead in found)


def test_a_sip_caller_who_calls_again_is_the_same_lead_and_withheld_ones_never_are(tell: Tell) -> None:
    for n in range(2):
        tell(call_id=f"s{n}", status="missed", **{"from": "sip:bob@pbx.example.com"})
        tell(call_id=f"w{n}", status="missed", **{"from": "anonymous"})
    assert len(every(Lead)) == 3


def test_who_answered_is_a_user_by_extension_number_or_address(tell: Tell) -> None:
    for n, name in enumerate(("101", "+5511999990001", "ana@acme.test", "Ana", "nobody")):
        tell(call_id=f"c{n}", status="answered", talk_seconds=5, agent=name)
    assert [c.user_id is not None for c in every(Call)] == [True, True, True, True, False]


def test_fifty_deliveries_at_once_are_one_call_one_lead_one_activity(client: FlaskClient) -> None:
    said = {
        "call_id": "c1",
        "direction": "inbound",
        "from": CALLER,
        "to": "+551140000000",
        "status": "missed",
    }
    url = "https://in.acme.test/in/calls/generic/main"
    _, _, headers, body = telephony.request("generic", url, {"type": "call.ended", "data": said}, clock.now())
    statuses: list[int] = []

    def deliver() -> None:
        answer = client.application.test_client().post("/in/calls/generic/main", headers=headers, data=body)
        statuses.append(answer.status_code)
        _process()

    threads = [threading.Thread(target=deliver) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _process()
    assert statuses == [200] * 50
    assert [len(every(table)) for table in (InboundEvent, Call, Lead, Activity)] == [1, 1, 1, 1]


def test_a_call_whose_end_never_comes_is_closed_with_its_reason(tell: Tell) -> None:
    with clock.frozen(NOON):
        tell(call_id="c1", status="ringing", started_at=NOON.isoformat())
        tell(call_id="c2", status="answered", answered_at=NOON.isoformat(), **{"from": "+5511912345679"})
    with clock.frozen(NOON + timedelta(minutes=29)):
        assert lost_calls.close() == 0
    with clock.frozen(NOON + timedelta(minutes=31)):
        assert (lost_calls.close(), lost_calls.close()) == (1, 0)
        _process()
        ringing, talking = every(Call)
        assert (ringing.result, ringing.closed_reason) == ("missed", "no end was told for 30 minutes")
        assert talking.result is None
        assert [a.subject for a in every(Activity)] == [f"Call back {CALLER}"]
    with clock.frozen(NOON + timedelta(hours=6)):
        assert lost_calls.close() == 1
        _process()
        assert every(Call)[1].result is CallResult.ANSWERED
        # The provider's word counts more than ours, however late it comes.
        tell(call_id="c1", status="answered", ended_at=NOON.isoformat(), talk_seconds=20)
    corrected = every(Call)[0]
    assert (corrected.result, corrected.closed_reason) == (CallResult.ANSWERED, None)


@pytest.mark.parametrize(
    "said",
    [{"status": "paused"}, {"status": "on fire"}],
)
def test_an_event_that_is_not_known_is_kept_and_ignored(tell: Tell, said: dict[str, Any]) -> None:
    assert tell(**said) == 200
    assert [e.state for e in every(InboundEvent)] == [EventState.IGNORED]
    assert every(Call) == []


def test_the_secret_of_an_address_is_not_kept(door: Open) -> None:
    client = door("  - {key: main, provider: exotel, url_token: k_9f2c7d1e, country: IN}")
    said = {"CallSid": "x1", "CallFrom": "09876543210", "CallTo": "02261234567", "CallType": "incomplete"}
    url = "https://in.acme.test/in/calls/exotel/main"
    _, url, headers, _ = telephony.request("exotel", url, said, clock.now())
    answer = client.get(telephony.path_of(url), headers=headers)
    _process()
    (event,) = every(InboundEvent)
    assert (answer.status_code, event.state) == (200, EventState.PROCESSED)
    assert "k_9f2c7d1e" not in json.dumps(event.envelope)
    assert [c.from_number for c in every(Call)] == ["+919876543210"]


@pytest.mark.parametrize(
    ("provider", "line", "request_", "content", "header"),
    [
        ("zadarma", "api_secret: s", {"path": "?zd_echo=abc123"}, b"abc123", None),
        (
            "ringcentral",
            "verification_token: t",
            {"method": "POST", "headers": {"Validation-Token": "v-1"}},
            b"",
            "v-1",
        ),
    ],
)
def test_an_address_is_tried_by_its_provider(
    door: Open, provider: str, line: str, request_: dict[str, Any], content: bytes, header: str
) -> None:
    client = door(f"  - {{key: main, provider: {provider}, {line}}}")
    path = f"/in/calls/{provider}/main" + request_.pop("path", "")
    answer = client.open(path, **request_)
    assert (answer.status_code, answer.data, answer.headers.get("Validation-Token")) == (200, content, header)
    assert every(InboundEvent) == []


# Recordings.


@pytest.fixture
def recorded(tell: Tell) -> int:
    tell(status="answered", talk_seconds=9, recording_url="https://rec.test/1.mp3")
    return int(every(Recording)[0].id)


def test_a_recording_is_fetched_once_and_forgotten_when_its_days_are_over(
    recorded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(url: str, headers: Any, **_: Any) -> bytes:
        asked.append(url)
        return SOUND

    monkeypatch.setattr(http, "download", download)
    recordings.fetch(recorded)
    recordings.fetch(recorded)
    (row,) = every(Recording)
    assert (row.state, row.kind.partition("/")[0], row.size) == (RecordingState.KEPT, "audio", len(SOUND))
    assert asked == ["https://rec.test/1.mp3"]
    assert storage.get(row.place) == SOUND
    with clock.frozen(clock.now() + timedelta(days=364)):
        assert recordings.forget() == 0
    with clock.frozen(clock.now() + timedelta(days=366)):
        assert recordings.forget() == 1
    assert every(Recording)[0].state is RecordingState.FORGOTTEN
    with pytest.raises(NotFound):
        storage.get(row.place)


def test_each_line_keeps_its_recordings_for_its_own_days(
    recorded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "download", lambda *_, **__: SOUND)
    monkeypatch.setattr(recordings, "_MOST", 2)
    recordings.fetch(recorded)
    with db.unit_of_work() as session:
        kept = session.get_one(Recording, recorded)
        for n in range(5):  # more than are taken at a time
            storage.put(f"r/{n}", SOUND)
            session.add(
                Recording(
                    call_id=kept.call_id, said=str(n), state=RecordingState.KEPT, place=f"r/{n}",
                    size=len(SOUND), kept_at=kept.kept_at, created_at=clock.now(),
                )
            )  # fmt: skip
    configure(WITH_ANA, lines=LINES.replace("recording_hosts", "recording_days: 3, recording_hosts"))
    with clock.frozen(clock.now() + timedelta(days=2)):
        assert recordings.forget() == 0
    with clock.frozen(clock.now() + timedelta(days=4)):
        assert recordings.forget() == 6
    assert {r.state for r in every(Recording)} == {RecordingState.FORGOTTEN}


def test_what_a_line_keeps_no_longer_is_not_fetched(recorded: int) -> None:
    configure(WITH_ANA, lines=LINES.replace("recording_hosts", "recordings: false, recording_hosts"))
    recordings.fetch(recorded)
    (row,) = every(Recording)
    assert (row.state, row.error) == (RecordingState.FAILED, "the line keeps no recordings any more")


def test_a_recording_is_tried_again_and_given_up_in_words(
    recorded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> bytes:
        raise Retry("answered 404")

    monkeypatch.setattr(http, "download", away)
    now = clock.now()
    for _ in range(20):
        with clock.frozen(now):
            recordings.fetch(recorded)
        now += timedelta(hours=7)
    (row,) = every(Recording)
    assert (row.state, row.tries, row.error) == (RecordingState.FAILED, 10, "answered 404")


def test_a_page_in_place_of_a_recording_is_no_recording(
    recorded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "download", lambda *_, **__: b"<!doctype html><p>Sign in")
    recordings.fetch(recorded)
    (row,) = every(Recording)
    assert (row.state, "no sound" in row.error) == (RecordingState.WAITING, True)


def test_recordings_elsewhere_and_of_lines_that_keep_none_are_not_noted(tell: Tell) -> None:
    tell(status="answered", talk_seconds=9, recording_url="https://evil.test/1.mp3")
    tell(call_id="c2", status="answered", talk_seconds=9, recording_url="http://169.254.169.254/1.mp3")
    configure(WITH_ANA, lines=LINES.replace("recording_hosts", "recordings: false, recording_hosts"))
    sources.forget()
    tell(call_id="c3", status="answered", talk_seconds=9, recording_url="https://rec.test/1.mp3")
    assert every(Recording) == []


def test_a_download_asks_no_address_that_it_may_not() -> None:
    with pytest.raises(Permanent, match="not the provider's"):
        http.download("https://evil.test/1.mp3", {}, may=lambda url: "rec.test" in url, most=10)
    with pytest.raises(Permanent, match="private network"):
        http.download("https://127.0.0.1/1.mp3", {}, may=lambda _: True, most=10)


def test_rules_see_what_was_said_also_where_the_words_come_later(tell: Tell) -> None:
    rule = """  - {name: urgent, on: call.transcribed, when: 'call.transcript.contains("urgent")', do: [add_tag: urgent]}
  - {name: told, on: call.transcribed, do: [score: 1]}
"""
    configure(WITH_ANA, lines=LINES, rules=rule)
    tell(status="voicemail", ended_at=clock.now().isoformat())
    (lead,) = every(Lead)
    assert (lead.tags, lead.score) == ([], 0)
    tell(transcript="It is urgent, call me")
    tell(transcript="It is urgent, call me")
    (lead,) = every(Lead)
    assert (lead.tags, lead.score) == (["urgent"], 1)
    # The words of another call come before its end is told.
    tell(call_id="c2", status="ringing")
    tell(call_id="c2", transcript="Hello?")
    assert every(Lead)[0].score == 1
    tell(call_id="c2", status="missed", ended_at=clock.now().isoformat())
    assert every(Lead)[0].score == 2


def test_a_rule_about_the_words_of_a_call_of_ours(tell: Tell) -> None:
    configure(WITH_ANA, lines=LINES, rules="  - {name: told, on: call.transcribed, do: [score: 1]}")
    with db.unit_of_work() as session:
        enquire(session, phones=(CALLER,))
    at = clock.now().isoformat()
    ours = {"direction": "outbound", "from": "+551140000000", "to": CALLER}
    tell(call_id="c3", status="answered", answered_at=at, talk_seconds=9, **ours)
    assert every(Lead)[0].score == 0
    tell(call_id="c3", transcript="Good morning", **ours)
    assert every(Lead)[0].score == 1
    assert len([e for e in every(TimelineEntry) if e.kind == "call"]) == 1


def client_of(email: str, *, deal: bool) -> int:
    """A contact of the caller's number whose lead is converted; the id."""
    with db.unit_of_work() as session:
        lead = enquire(session, phones=(CALLER,)).lead
        user = session.scalars(select(User).where(User.email == email)).one()
        leads.assign(session, lead, user, actor="service", why="test")
        into = Into(frozenset({"contact", "deal"} if deal else {"contact"}))
        made = convert(session, lead, into=into, by="service")
        assert made.contact is not None
        return made.contact.id


@pytest.mark.parametrize("deal", [True, False])
def test_a_contact_s_calls_are_on_their_deal_or_their_own_timeline_and_make_no_lead(
    tell: Tell, deal: bool
) -> None:
    contact_id = client_of("bruno@acme.test", deal=deal)
    before = len(every(Activity))
    tell(call_id="c1", status="ringing")
    missed(tell)
    missed(tell, "c2")
    (lead,) = every(Lead)
    first = every(Call)[0]
    assert (first.lead_id, first.contact_id, first.deal_id is not None) == (None, contact_id, deal)
    (back,) = every(Activity)[before:]
    assert (back.subject, back.contact_id, back.deal_id, back.urgency) == (
        "Call back Maria Souza", contact_id, first.deal_id, 1,
    )  # fmt: skip
    assert back.owner_id == lead.owner_id
    told = [e for e in every(TimelineEntry) if e.kind == "call"]
    assert [(e.contact_id, e.deal_id) for e in told] == [(contact_id, first.deal_id)] * 2
    ours = {"direction": "outbound", "from": "+551140000000", "to": CALLER}
    at = clock.now().isoformat()
    tell(call_id="c3", status="answered", started_at=at, answered_at=at, talk_seconds=30, **ours)
    assert every(Call)[2].contact_id == contact_id
    assert every(Activity)[before].state is ActivityState.DONE
    assert [e.state for e in every(InboundEvent)] == [EventState.PROCESSED] * 4
    assert len(every(Lead)) == 1


def test_a_line_may_make_a_lead_of_a_contact_s_missed_call(door: Open) -> None:
    client = door(LINES.replace("recording_hosts", "missed_makes_lead: true, recording_hosts"))
    contact_id = client_of("ana@acme.test", deal=False)
    said = {
        "call_id": "c1",
        "direction": "inbound",
        "from": CALLER,
        "to": "+551140000000",
        "status": "missed",
    }
    url = "https://in.acme.test/in/calls/generic/main"
    _, _, headers, body = telephony.request("generic", url, {"type": "x", "data": said}, clock.now())
    assert client.post("/in/calls/generic/main", headers=headers, data=body).status_code == 200
    _process()
    assert [lead.contact_id for lead in every(Lead)] == [contact_id, contact_id]


def test_an_event_of_a_contact_s_call_that_is_replayed_changes_nothing(tell: Tell) -> None:
    client_of("ana@acme.test", deal=True)
    missed(tell)
    before = [len(every(table)) for table in (TimelineEntry, Activity, Call)]
    with db.unit_of_work() as session:
        (event,) = session.scalars(select(InboundEvent))
        journal.replay(session, event)
    _process()
    assert [len(every(table)) for table in (TimelineEntry, Activity, Call)] == before


@pytest.mark.parametrize("deal", [True, False])
def test_rules_hear_of_a_call_that_is_about_a_deal_or_a_contact(door: Open, tell: Tell, deal: bool) -> None:
    rules = "\n".join(
        f"  - {{name: {kind}, on: {kind}, do: [comment: {kind}]}}"
        for kind in ("call.started", "call.missed", "call.answered", "call.completed", "call.transcribed")
    )
    configure(WITH_ANA, lines=LINES, rules=rules)
    sources.forget()
    contact_id = client_of("ana@acme.test", deal=deal)
    with db.reading() as session:
        known = {e.id for e in session.scalars(select(TimelineEntry))}
    tell(status="ringing")
    assert heard(known) == ["call.started"]
    missed(tell)
    missed(tell)
    assert heard(known) == ["call.started", "call.missed", "call.completed"]
    tell(call_id="c2", status="answered", talk_seconds=9, ended_at=clock.now().isoformat())
    tell(call_id="c2", transcript="Hello")
    assert heard(known)[3:] == ["call.started", "call.answered", "call.completed", "call.transcribed"]
    with db.reading() as session:
        comments = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "comment")).all()
    assert {(e.contact_id, e.deal_id is not None, e.lead_id) for e in comments} == {(contact_id, deal, None)}


def heard(known: set[int]) -> list[str]:
    """The comments that rules have made since."""
    return [e.data["text"] for e in every(TimelineEntry) if e.kind == "comment" and e.id not in known]


def test_an_event_that_was_signed_for_another_line_is_ignored(door: Open, tell: Tell) -> None:
    other = LINES.replace("key: main", "key: other").replace("+551140000000", "+551140000001")
    configure(WITH_ANA, lines=LINES + other)
    sources.forget()
    missed(tell, to="+551140000001")
    assert (every(Call), every(Lead)) == ([], [])
    (event,) = every(InboundEvent)
    assert event.state is EventState.IGNORED
    assert "is a number of the line 'other'" in event.error
    missed(tell, "c2", to="+551140000009")  # nobody's: a number that was not declared
    missed(tell, "c3")
    assert [c.group_id for c in every(Call)] == ["c2", "c3"]
