"""An event goes through the house once; a step is carried out and what came of it is kept."""

from __future__ import annotations

import threading
from datetime import timedelta
from email import message_from_bytes
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as events
from sqlalchemy import func, select

from core import clock, db
from core.errors import Unavailable
from core.settings import settings
from intake import claims, journal, passage, pipeline
from intake.delivery import Delivery
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.rule import StepRow, StepState, Trace
from models.timeline import TimelineEntry
from models.user import User
from models.workspace import WorkspaceRow
from rules import engine, runs
from rules.steps.add_tag import AddTag
from tests.factories import WORKSPACE, configure, source
from tests.servers.mail import SmtpSink
from worker import clockwork, executor

RULES = """
  - {name: r, on: lead.created, do: [assign: {team: inbound}, schedule: {subject: Call, due: 1 hours}]}
  - {name: s, on: lead.created, do: [send_email: {template: welcome}]}
"""
URLENCODED = "application/x-www-form-urlencoded"


def post(body: bytes, content_type: str = URLENCODED, key: str = "k") -> str:
    with db.unit_of_work() as session:
        entry = journal.Entry(
            source(session, "open").id,
            "form",
            key,
            Delivery(body=body, content_type=content_type, received_at=clock.now()),
        )
        return journal.append(session, [entry])[0].event_id


def event(event_id: str) -> InboundEvent:
    with db.reading() as session:
        return session.get_one(InboundEvent, event_id)


def rows(table: type) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture(autouse=True)
def configured(database: db.Database) -> None:
    configure(rules=RULES)


def test_an_event_becomes_a_routed_lead_in_one_transaction() -> None:
    event_id = post(b"name=Ana&email=ana%40client.test")
    executor.process_event(event_id)
    done = event(event_id)
    assert (done.state, done.attempts, done.error) == (EventState.PROCESSED, 1, None)
    with db.reading() as session:
        lead = session.get_one(Lead, done.lead_id)
        assert lead.owner_id is not None
        assert session.scalars(select(Activity.lead_id)).all() == [lead.id]


def test_the_same_event_rung_many_times_at_once_has_its_effect_once() -> None:
    event_id = post(b"name=Ana&email=ana%40client.test")
    threads = [threading.Thread(target=executor.process_event, args=(event_id,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (rows(Lead), rows(Activity), event(event_id).attempts) == (1, 1, 1)


def test_an_event_replayed_after_it_was_processed_does_nothing_more() -> None:
    event_id = post(b"name=Ana&email=ana%40client.test")
    executor.process_event(event_id)
    before = rows(TimelineEntry)
    with db.unit_of_work() as session:
        journal.replay(session, session.get_one(InboundEvent, event_id))
    executor.process_event(event_id)
    assert (event(event_id).state, rows(Lead), rows(TimelineEntry)) == (EventState.PROCESSED, 1, before)


def test_what_cannot_be_understood_is_kept_as_failed_and_can_be_replayed() -> None:
    event_id = post(b"{", "application/json")
    executor.process_event(event_id)
    failed = event(event_id)
    assert (failed.state, failed.error) == (EventState.FAILED, "the body is no JSON")
    assert rows(Lead) == 0
    with db.unit_of_work() as session:
        again = session.get_one(InboundEvent, event_id)
        again.body, again.content_type = b"name=Ana", URLENCODED  # the fix
        journal.replay(session, again)
    executor.process_event(event_id)
    assert (event(event_id).state, rows(Lead)) == (EventState.PROCESSED, 1)


def test_an_enquiry_without_anybody_in_it_is_failed_and_not_dropped() -> None:
    event_id = post(b"colour=blue")
    executor.process_event(event_id)
    assert event(event_id).state is EventState.FAILED


def test_a_failure_of_ours_leaves_nothing_half_done_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event_id = post(b"name=Ana&email=ana%40client.test")
    with monkeypatch.context() as broken:
        react = passage.engine.react

        def late(*args: object, **kwargs: object) -> None:
            react(*args, **kwargs)  # type: ignore[arg-type]
            raise ZeroDivisionError("a mistake")

        broken.setattr(passage.engine, "react", late)
        executor.process_event(event_id)
    waiting = event(event_id)
    assert (waiting.state, waiting.error) == (EventState.RECEIVED, "ZeroDivisionError: a mistake")
    assert (rows(Lead), rows(Activity), rows(StepRow)) == (0, 0, 0)
    executor.process_event(event_id)
    assert rows(Lead) == 0  # not before its time
    with clock.frozen(clock.now() + timedelta(seconds=5)):
        executor.process_event(event_id)
    assert (event(event_id).state, rows(Lead)) == (EventState.PROCESSED, 1)


def test_a_poisonous_event_is_set_aside_after_some_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = post(b"name=Ana")

    def poison(*_: object, **__: object) -> None:
        raise MemoryError("too much")

    monkeypatch.setattr(pipeline, "process", poison)
    for attempt in range(claims.MOST_ATTEMPTS):
        with clock.frozen(clock.now() + timedelta(minutes=attempt)):
            executor.process_event(event_id)
    assert (event(event_id).state, event(event_id).error) == (EventState.FAILED, "MemoryError: too much")


def test_an_event_that_takes_its_worker_down_is_set_aside_too() -> None:
    event_id = post(b"name=Ana")
    for attempt in range(claims.MOST_ATTEMPTS):
        # claimed, and then the process died
        with clock.frozen(clock.now() + timedelta(minutes=attempt)), db.unit_of_work() as session:
            assert claims.take(session.connection(), event_id) is not None
    with clock.frozen(clock.now() + timedelta(hours=1)):
        executor.process_event(event_id)
    assert event(event_id).state is EventState.FAILED
    assert event(event_id).error == "cut off 5 times"


def test_a_second_attempt_that_outlasts_its_lease_is_not_taken_over(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = post(b"name=Ana&email=ana%40client.test")
    with database.single() as connection:
        assert claims.take(connection, event_id) is not None  # and the process died
    found: list[object] = []

    later = clock.now() + claims.LEASE * 2

    def take_over() -> None:
        with clock.frozen(later + claims.LEASE * 2), database.single() as connection:
            found.append(claims.take(connection, event_id))

    through = pipeline.process

    def slowly(*given: Any, **more: Any) -> None:
        other.start()
        other.join(0.3)
        assert other.is_alive()
        through(*given, **more)

    other = threading.Thread(target=take_over)
    monkeypatch.setattr(pipeline, "process", slowly)
    with clock.frozen(later):
        executor.process_event(event_id)
        other.join(10)  # in here: who froze the clock last lets it go first
    assert found == [None]
    assert event(event_id).state is EventState.PROCESSED
    assert rows(Lead) == 1


def test_a_database_that_goes_away_leaves_the_event_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = post(b"name=Ana&email=ana%40client.test")

    def gone(*_: object, **__: object) -> None:
        raise Unavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "process", gone)
        with pytest.raises(Unavailable):
            executor.process_event(event_id)
    assert event(event_id).state is EventState.RECEIVED
    with clock.frozen(clock.now() + claims.LEASE + timedelta(seconds=1)):
        executor.process_event(event_id)
    assert event(event_id).state is EventState.PROCESSED


def step() -> StepRow:
    with db.reading() as session:
        return session.scalars(select(StepRow).where(StepRow.kind == "send_email")).one()


def test_a_mail_is_sent_over_smtp_once_with_the_same_id_at_each_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor.process_event(post(b"name=Ana&email=ana%40client.test"))
    lanes = executor.Executor(2)
    with SmtpSink() as sink:
        monkeypatch.setenv("SMTP_URL", sink.url)
        settings.cache_clear()
        sink.answer = "451 come again"
        lanes.run_step(step().id)
        assert (step().state, step().attempts) == (StepState.READY, 1)
        assert "451" in (step().result or "")
        sink.answer = "250 kept"
        with clock.frozen(clock.now() + timedelta(seconds=6)):
            lanes.run_step(step().id)
            lanes.run_step(step().id)
        assert (step().state, step().attempts) == (StepState.DONE, 2)
        ((to, raw),) = sink.messages
    message = message_from_bytes(raw)
    assert to == "ana@client.test"
    assert (message["Subject"], message["From"]) == ("Hello Ana", "Acme <no-reply@127.0.0.1>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith(".portaria@127.0.0.1>")


def test_a_refused_mail_is_a_failed_step_with_the_server_s_words(monkeypatch: pytest.MonkeyPatch) -> None:
    executor.process_event(post(b"name=Ana&email=ana%40client.test"))
    with SmtpSink() as sink:
        monkeypatch.setenv("SMTP_URL", sink.url)
        settings.cache_clear()
        sink.answer = "550 no such user"
        executor.Executor(1).run_step(step().id)
    assert step().state is StepState.FAILED
    assert "550 no such user" in (step().result or "")


def test_without_a_mail_server_the_mail_is_a_file_to_look_at() -> None:
    executor.process_event(post(b"name=Ana&email=ana%40client.test"))
    executor.Executor(1).run_step(step().id)
    assert step().state is StepState.DONE
    (file,) = Path(settings().data_dir / "outbox").glob("*.eml")
    assert b"To: ana@client.test" in file.read_bytes()


def test_a_mail_server_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://127.0.0.1:1")
    settings.cache_clear()
    executor.process_event(post(b"name=Ana&email=ana%40client.test"))
    executor.Executor(1).run_step(step().id)
    assert step().state is StepState.READY


def test_what_is_rung_for_while_all_lanes_are_taken_is_done_by_the_next_free_one(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        executor.process_event(post(f"name=Ana&email=ana{n}%40client.test".encode(), key=f"k{n}"))
    with database.reading() as session:
        first, *others = session.scalars(select(StepRow.id).where(StepRow.kind == "send_email")).all()
    lanes = executor.Executor(1)
    under_way, free = threading.Event(), threading.Event()
    send = executor.smtp.send

    def slow(*arguments: object, **named: object) -> str:
        under_way.set()
        assert free.wait(10)
        return send(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(executor.smtp, "send", slow)
    busy = threading.Thread(target=lanes.run_step, args=(first,))
    busy.start()
    assert under_way.wait(10)
    for step_id in others:
        lanes.run_step(step_id)  # answers at once: no event waits behind a slow server
        with database.reading() as session:
            assert session.get_one(StepRow, step_id).attempts == 0
    free.set()
    busy.join(10)
    with database.reading() as session:
        assert {session.get_one(StepRow, i).state for i in (first, *others)} == {StepState.DONE}


def test_a_lead_that_no_rule_assigns_goes_to_the_source_s_team_in_turn() -> None:
    configure(
        WORKSPACE.replace("{key: open}", "{key: open, team: inbound}"),
        rules="  - {name: r, on: lead.repeat, do: [add_tag: x]}",
    )
    for n in range(3):
        executor.process_event(post(f"email=a{n}%40client.test".encode(), key=f"k{n}"))
    with db.reading() as session:
        owners = [
            lead.owner.name if lead.owner else None
            for lead in session.scalars(select(Lead).order_by(Lead.id))
        ]
        assert owners == ["Ana", "Bruno", "Ana"]
        told = session.scalars(select(TimelineEntry.summary).where(TimelineEntry.kind == "assigned")).first()
    assert told == "Assigned to Ana: no rule assigned it; round robin in inbound, 1 of 2"


def test_nobody_sees_a_lead_before_it_is_routed(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    react = engine.react

    def looked_at(*arguments: object, **named: object) -> None:
        def look() -> None:
            with database.reading() as session:
                seen.append(session.scalar(select(func.count()).select_from(Lead)))

        for moment in ("before", "after"):
            if moment == "after":
                react(*arguments, **named)  # type: ignore[arg-type]
            other = threading.Thread(target=look)
            other.start()
            other.join()

    monkeypatch.setattr(engine, "react", looked_at)
    executor.process_event(post(b"email=m@client.test&name=Maria"))
    assert seen == [0, 0]
    with database.reading() as session:
        lead = session.scalars(select(Lead)).one()
        assert lead.owner_id is not None
        assert session.scalars(select(Activity.lead_id)).one() == lead.id
        assert session.scalar(select(func.count()).select_from(StepRow)) == 3


class Killed(BaseException):
    """The process is gone: nothing after this line is carried out."""


def test_a_worker_that_dies_between_sending_and_recording_sends_the_same_mail_again(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise Killed

    with SmtpSink() as sink:
        monkeypatch.setenv("SMTP_URL", sink.url)
        settings.cache_clear()
        executor.process_event(post(b"email=m@client.test&name=Maria"))
        with database.reading() as session:
            step_id = session.scalars(select(StepRow.id).where(StepRow.kind == "send_email")).one()
        with monkeypatch.context() as patched:
            patched.setattr(executor.runs, "done", dies)
            with pytest.raises(Killed):
                executor.Executor(1).run_step(step_id)
        executor.Executor(1).run_step(step_id)
        assert len(sink.messages) == 1  # its lease has not run out
        with clock.frozen(clock.now() + runs.LEASE + timedelta(seconds=1)):
            executor.Executor(1).run_step(step_id)
        ids = {message_from_bytes(content)["Message-ID"] for _, content in sink.messages}
        assert (len(sink.messages), len(ids)) == (2, 1)
    with database.reading() as session:
        row = session.get_one(StepRow, step_id)
        assert (row.state, row.attempts) == (StepState.DONE, 2)
        told = select(func.count()).where(TimelineEntry.kind == "mail_sent")
        assert session.scalar(told) == 1


def test_a_team_of_which_nobody_is_left_costs_no_enquiry(database: db.Database) -> None:
    file = WORKSPACE.replace("- {key: open}", "- {key: open, team: inbound}")
    configure(file, rules="  - {name: r, on: lead.repeat, do: [add_tag: x]}")
    with database.unit_of_work() as session:
        for user in session.scalars(select(User).where(User.name.in_(["Ana", "Bruno"]))):
            user.active = False
    event_id = post(b"email=m@client.test&name=Maria")
    executor.process_event(event_id)
    assert event(event_id).state is EventState.PROCESSED
    with database.reading() as session:
        assert session.scalars(select(Lead.owner_id)).one() is None
        told = select(TimelineEntry.summary).where(TimelineEntry.kind == "waiting")
        assert session.scalars(told).one() == (
            "Waits for an owner: nobody of inbound can have it (Ana: not active, Bruno: not active)"
        )


def test_a_step_that_breaks_costs_the_enquiry_a_second_and_nothing_else(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(AddTag, "run", breaks)
    configure(rules="  - {name: r, on: lead.created, do: [score: 1, add_tag: x, assign: {team: inbound}]}")
    event_id = post(b"email=m@client.test&name=Maria")
    executor.process_event(event_id)
    assert event(event_id).state is EventState.RECEIVED  # taken back, to be tried again with care
    assert rows(Lead) == 0
    with clock.frozen(clock.now() + timedelta(seconds=2)):
        executor.process_event(event_id)
    assert event(event_id).state is EventState.PROCESSED
    with database.reading() as session:
        lead = session.scalars(select(Lead)).one()
        assert (lead.score, lead.tags, lead.owner_id is not None) == (1, [], True)
        failed = session.scalars(select(StepRow).where(StepRow.state == StepState.FAILED)).one()
        assert (failed.kind, failed.result) == ("add_tag", "this is a mistake of ours: ZeroDivisionError")


def test_in_simple_mode_an_enquiry_is_a_contact_and_a_deal_at_once_and_stays_explained() -> None:
    configure(WORKSPACE.replace("currency: BRL}", "currency: BRL, mode: simple}"), rules=RULES)
    first = post(b"name=Ana&email=ana%40client.test", key="1")
    executor.process_event(first)
    second = post(b"name=Ana&email=ana%40client.test&message=again", key="2")
    executor.process_event(second)
    with db.reading() as session:
        deal = session.scalars(select(Deal)).one()
        lead = session.scalars(select(Lead)).one()
        contact = session.scalars(select(Contact)).one()
        assert event(first).lead_id == event(second).lead_id == lead.id
        assert (deal.lead_id, deal.contact_id, lead.contact_id) == (lead.id, contact.id, contact.id)
        assert deal.owner_id == contact.owner_id == lead.owner_id is not None
        activity = session.scalars(select(Activity)).one()
        assert (activity.deal_id, activity.lead_id) == (deal.id, lead.id)
        told = session.scalars(select(TimelineEntry.kind).where(TimelineEntry.deal_id == deal.id)).all()
        assert told.count("submission") == 2
        triggers = session.scalars(select(Trace.trigger).where(Trace.lead_id == lead.id)).all()
        assert set(triggers) >= {"lead.created"}
        step = session.scalars(select(StepRow).where(StepRow.kind == "send_email")).one()
        assert step.state is StepState.READY


def test_a_deal_that_nobody_could_have_is_given_when_somebody_can() -> None:
    text = WORKSPACE.replace("currency: BRL}", "currency: BRL, mode: simple}")
    configure(text.replace("bruno@acme.test, name: Bruno", "bruno@acme.test, name: Bruno, capacity: 0"))
    with db.unit_of_work() as session:
        row = session.get_one(WorkspaceRow, 1)
        row.settings = {**row.settings, "catch_all": "bruno@acme.test"}
        for user in session.scalars(select(User)):
            user.active = False
    executor.process_event(post(b"name=Ana&email=ana%40client.test"))
    with db.unit_of_work() as session:
        assert session.scalars(select(Deal)).one().owner_id is None
        bruno = session.scalars(select(User).where(User.email == "bruno@acme.test")).one()
        bruno.active = True
    clockwork.waiting_leads()
    with db.reading() as session:
        assert session.scalars(select(Deal)).one().owner_id == bruno.id
        assert session.scalars(select(Contact)).one().owner_id == bruno.id


def test_an_event_with_four_immediate_steps_takes_few_statements(database: db.Database) -> None:
    configure(
        rules="""
  - name: r
    on: form.submitted
    do: [{assign: {team: inbound}}, {schedule: {subject: Call, due: 15 business minutes}}, {set: {priority: high}}, {add_tag: form}]
"""
    )
    executor.process_event(post(b"name=Rui&email=rui%40client.test", key="first"))
    event_id = post(b"name=Ana&email=ana%40client.test&phone=11987654321")
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    events.listen(database.engine, "before_cursor_execute", hear)
    try:
        executor.process_event(event_id)
    finally:
        events.remove(database.engine, "before_cursor_execute", hear)
    assert event(event_id).state is EventState.PROCESSED
    kinds = [kind for kind, _ in groupby(said) if not kind.startswith(("BEGIN", "SET"))]
    if database.is_sqlite:  # takes rows of a kind one by one
        assert len(kinds) <= 24, "\n".join(kinds)
    else:  # claimed and read; the person and the lead; whose turn it is; who is in the team; all the rest
        assert len(kinds) == 5, "\n".join(kinds)
    # Each row is written once, when it is known how far its run came.
    assert len([s for s in said if "UPDATE lead" in s]) == 1
    assert not [s for s in said if "UPDATE run" in s]
    with db.reading() as session:
        lead = session.get_one(Lead, event(event_id).lead_id)
        assert (lead.tags, lead.fields["priority"], lead.owner is not None) == (["form"], "high", True)


def test_the_timelines_are_asked_what_stands_only_for_an_event_that_was_tried_or_replayed() -> None:
    event_id = post(b"name=Ana&email=ana%40client.test")
    executor.process_event(event_id)
    with db.unit_of_work() as session:
        # What became no lead, such as a reply to a deal alone, is known by its timeline only.
        done = session.get_one(InboundEvent, event_id)
        done.lead_id = None
        journal.replay(session, done)
    before = rows(TimelineEntry)
    executor.process_event(event_id)
    assert (event(event_id).state, rows(Lead), rows(TimelineEntry)) == (EventState.PROCESSED, 1, before)
