"""A mail by hand and by rule: noted before it goes, in its thread, with what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

import pytest
from sqlalchemy import select

from core import clock, db
from core.errors import Conflict, Invalid
from core.settings import settings
from crm import compose, reachability, thread_token
from crm.compose import Draft
from crm.messages import Letter
from intake import sources
from models.lead import Lead
from models.message import Message, MessageState
from models.rule import StepRow, StepState
from models.sla import SlaClock, SlaState
from models.source import Channel
from models.timeline import TimelineEntry
from models.user import User
from tests.factories import WORKSPACE, configure, enquire, source
from tests.servers.mail import SmtpSink
from tests.servers.smtp_trouble import TroubledSmtp
from worker import executor, mailing
from worker.outbound import allowance, transport
from worker.sweeper import Sweeper

SLA = "  - {key: fast, first_response: 1 hours}"
RULES = "  - {name: r, on: lead.created, do: [assign: {team: inbound}, send_email: {template: welcome}]}"


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch, database: db.Database) -> Iterator[SmtpSink]:
    with SmtpSink() as made:
        use(made.url, monkeypatch)
        yield made
    transport.hang_up()


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", url)
    settings.cache_clear()
    sources.forget()


def lead(**more: str) -> int:
    with db.unit_of_work() as session:
        return enquire(session, **more).lead.id


def write(lead_id: int, *, key: str = "k", **changes: object) -> int:
    values: dict[str, object] = {"to": "maria@client.test", "letter": Letter("Your offer", "Here it is.")}
    with db.unit_of_work() as session:
        ana = session.scalars(select(User).where(User.name == "Ana")).one()
        row = compose.write(
            session,
            session.get_one(Lead, lead_id),
            Draft(**(values | changes)),  # type: ignore[arg-type]
            key=key,
            actor=f"user:{ana.id}",
            user=ana,
        )
        return row.id


def message(message_id: int) -> Message:
    with db.reading() as session:
        return session.get_one(Message, message_id)


def read(sink: SmtpSink, place: int = -1) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(sink.messages[place][1], policy=default))


def told(lead_id: int, kind: str) -> list[TimelineEntry]:
    with db.reading() as session:
        chosen = select(TimelineEntry).where(TimelineEntry.lead_id == lead_id, TimelineEntry.kind == kind)
        return list(session.scalars(chosen))


def steps() -> list[StepRow]:
    with db.reading() as session:
        return list(session.scalars(select(StepRow).where(StepRow.kind == "send_email").order_by(StepRow.id)))


def test_what_a_person_writes_is_sent_once_told_and_the_first_answer(sink: SmtpSink) -> None:
    configure(sla=SLA)
    lead_id = lead()
    message_id = write(lead_id)
    assert Sweeper().mails() == 1  # a ring that was lost costs a second, not the mail
    mailing.send(message_id)
    mailing.send(message_id)
    sent = read(sink)
    assert len(sink.messages) == 1
    assert (sent["From"], sent["To"]) == ("Ana <no-reply@127.0.0.1>", "maria@client.test")
    assert (sent["Auto-Submitted"], sent["List-Unsubscribe"]) == (None, None)
    (entry,) = told(lead_id, "mail_sent")
    assert (entry.data["subject"], entry.data["text"]) == ("Your offer", "Here it is.")
    with db.reading() as session:
        row = session.get_one(Lead, lead_id)
        assert row.first_response_at is not None
        assert not row.unanswered
        assert session.get_one(SlaClock, lead_id).state is SlaState.MET
    assert thread_token.in_ids([str(sent["Message-ID"])]) == [message(message_id).token]


def test_what_a_rule_writes_is_no_answer_and_carries_a_way_out(sink: SmtpSink) -> None:
    configure(rules=RULES, sla=SLA)
    lead_id = lead()
    executor.Executor(1).run_step(steps()[0].id)
    sent = read(sink)
    assert sent["Auto-Submitted"] == "auto-generated"
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    with db.reading() as session:
        row = session.get_one(Lead, lead_id)
        assert (row.first_response_at, row.unanswered) == (None, True)
        assert session.get_one(SlaClock, lead_id).state is SlaState.RUNNING
        noted = session.scalars(select(Message)).one()
        assert (noted.state, noted.automatic, noted.message_id) == (
            MessageState.SENT,
            True,
            sent["Message-ID"],
        )


def test_a_mail_by_hand_is_tried_again_and_in_the_end_said_to_have_failed(
    monkeypatch: pytest.MonkeyPatch, database: db.Database
) -> None:
    configure()
    lead_id = lead()
    message_id = write(lead_id)
    with TroubledSmtp(rcpt="451 later") as server:
        use(server.url, monkeypatch)
        mailing.send(message_id)
        assert (message(message_id).state, message(message_id).attempts) == (MessageState.QUEUED, 1)
        assert "451 later" in message(message_id).error
        mailing.send(message_id)  # not before its time
        assert message(message_id).attempts == 1
        server.answers["rcpt"] = "550 no such user"
        with clock.frozen(clock.now() + timedelta(minutes=1)):
            mailing.send(message_id)
    transport.hang_up()
    assert message(message_id).state is MessageState.FAILED
    (entry,) = told(lead_id, "mail_failed")
    assert "550 no such user" in entry.summary
    with db.reading() as session:
        assert session.get_one(Lead, lead_id).first_response_at is None


class Killed(BaseException):
    """The process is gone."""


def test_a_worker_that_dies_after_sending_sends_the_same_mail_again(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure()
    message_id = write(lead())

    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(mailing, "_sent", dies)
        with pytest.raises(Killed):
            mailing.send(message_id)
    mailing.send(message_id)  # somebody has it, for all we know
    assert len(sink.messages) == 1
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        mailing.send(message_id)
    assert len(sink.messages) == 2
    assert read(sink, 0)["Message-ID"] == read(sink, 1)["Message-ID"]
    assert message(message_id).state is MessageState.SENT


def test_more_than_the_mailbox_may_waits_without_being_an_attempt(sink: SmtpSink) -> None:
    configure(
        WORKSPACE
        + f"""
mailboxes:
  - key: sales
    host: imap.acme.test
    username: sales@acme.test
    password: p
    smtp: {{host: 127.0.0.1, port: {sink.port}, security: none, rate: 1 per hour}}
""",
        rules=RULES,
    )
    sources.forget()
    lead_id = lead()
    executor.Executor(1).run_step(steps()[0].id)
    message_id = write(lead_id)
    mailing.send(message_id)
    assert len(sink.messages) == 1
    waiting = message(message_id)
    assert (waiting.state, waiting.attempts) == (MessageState.QUEUED, 0)
    assert "at most 1 per 1 hour" in waiting.error
    with clock.frozen(clock.now() + timedelta(minutes=61)):
        mailing.send(message_id)
    assert len(sink.messages) == 2


def test_workers_at_the_same_time_send_together_no_more_than_the_mailbox_may(database: db.Database) -> None:
    configure(WORKSPACE + "\nmailboxes: [{key: sales, host: h, username: u, password: p}]\n")
    with db.reading() as session:
        source_id = source(session, "sales", Channel.EMAIL).id
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: allowance.exceeded(source_id, "5 per hour; 100 per day"), range(20)))
    assert (told.count(None), told.count("5 per 1 hour")) == (5, 15)


def test_the_same_key_writes_once_and_never_something_else(sink: SmtpSink) -> None:
    configure()
    lead_id = lead()
    assert write(lead_id) == write(lead_id)
    with pytest.raises(Conflict):
        write(lead_id, letter=Letter("Another", "text"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": "nobody"}, "to"),
        ({"to": "a@b.test\r\nBcc: x@y.test"}, "to"),
        ({"cc": ("x",)}, "cc"),
        ({"cc": ("a@b.test",) * 11}, "cc"),
        ({"letter": Letter(" ", "text")}, "subject"),
        ({"letter": Letter("subject", "\n ")}, "text"),
    ],
)
@pytest.mark.usefixtures("database")
def test_what_cannot_be_sent_is_told_before_anything_is_noted(changes: dict[str, object], field: str) -> None:
    configure()
    lead_id = lead()
    with pytest.raises(Invalid) as caught:
        write(lead_id, **changes)
    assert field in caught.value.fields
    with db.reading() as session:
        assert session.scalars(select(Message)).all() == []


def mark(address: str, **changes: object) -> None:
    with db.unit_of_work() as session:
        point = reachability.point(session, address)
        assert point is not None
        for name, value in changes.items():
            setattr(point, name, value)


def test_to_an_address_that_sent_mail_back_nothing_goes_but_on_purpose(sink: SmtpSink) -> None:
    configure(rules=RULES)
    lead_id = lead()
    mark("maria@client.test", bounced_at=clock.now(), bounce_reason="550 5.1.1 no such user")
    with pytest.raises(Invalid, match=r"came back on .*550 5\.1\.1 no such user"):
        write(lead_id)
    executor.Executor(1).run_step(steps()[0].id)
    assert steps()[0].state is StepState.FAILED
    assert "no such user" in (steps()[0].result or "")
    mailing.send(write(lead_id, despite_bounce=True))
    assert len(sink.messages) == 1


def test_who_has_unsubscribed_gets_no_automatic_mail_but_a_person_s(sink: SmtpSink) -> None:
    rules = (
        "  - {name: a, on: lead.created, do: [send_email: {template: welcome}]}\n"
        "  - {name: b, on: lead.created, do: [send_email: {template: welcome, transactional: true}]}"
    )
    configure(rules=rules)
    lead_id = lead()
    mark("maria@client.test", unsubscribed_at=clock.now())
    for step in steps():
        executor.Executor(1).run_step(step.id)
    left_out, sent = steps()
    assert (left_out.state, sent.state) == (StepState.SKIPPED, StepState.DONE)
    assert "has unsubscribed" in (left_out.result or "")
    assert read(sink)["List-Unsubscribe"] is None  # it would promise what it does not keep
    mailing.send(write(lead_id))
    assert len(sink.messages) == 2


def test_two_machines_that_answer_each_other_come_to_an_end(sink: SmtpSink) -> None:
    configure(
        WORKSPACE.replace("name: Acme,", "name: Acme, automatic_mails_per_hour: 2,"),
        rules="  - {name: a, on: lead.repeat, do: [send_email: {template: welcome}]}",
    )
    for _ in range(5):
        lead()
    for step in steps():
        executor.Executor(1).run_step(step.id)
    assert [step.state.value for step in steps()] == ["done", "done", "skipped", "skipped"]
    assert "2 automatic mails have gone to maria@client.test" in (steps()[-1].result or "")
    with clock.frozen(clock.now() + timedelta(hours=2)):
        lead()
        executor.Executor(1).run_step(steps()[-1].id)
    assert steps()[-1].state is StepState.DONE


@pytest.mark.parametrize(
    "address",
    ["no-reply@shop.test", "noreply@shop.test", "do-not-reply@x.test", "MAILER-DAEMON@x.test", "postmaster@x.test",
     "nao-responda@x.test", "nicht-antworten@x.test", "bounce+123=a@x.test", "noreply-orders@x.test"],
)  # fmt: skip
def test_nothing_automatic_goes_where_nobody_reads(sink: SmtpSink, address: str) -> None:
    configure(rules=RULES)
    lead(emails=(address,))  # type: ignore[arg-type]
    executor.Executor(1).run_step(steps()[0].id)
    assert (steps()[0].state, sink.messages) == (StepState.SKIPPED, [])


@pytest.mark.parametrize(
    "address", ["norbert@x.test", "bounceland@x.test", "reply@x.test", "notify.me@x.test"]
)
def test_people_with_such_names_are_people(address: str) -> None:
    assert not reachability.is_nobody(address)


def test_a_thread_s_token_is_known_again_after_the_key_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTARIA_SECRET_KEY", "the first key of all")
    settings.cache_clear()
    ours, address = (
        thread_token.message_id("effect"),
        thread_token.answer_address("sales@acme.test", "effect"),
    )
    assert (
        thread_token.in_ids([ours.upper()])
        == thread_token.in_addresses([address])
        == [thread_token.token_of("effect")]
    )
    monkeypatch.setenv("PORTARIA_SECRET_KEY", "a new key, after a leak")
    settings.cache_clear()
    assert (thread_token.in_ids([ours]), thread_token.in_addresses([address])) == ([], [])
    monkeypatch.setenv("PORTARIA_PREVIOUS_SECRET_KEYS", "something else entirely, the first key of all")
    settings.cache_clear()
    assert (
        thread_token.in_ids([ours])
        == thread_token.in_addresses([address])
        == [thread_token.token_of("effect")]
    )


def test_a_token_that_we_did_not_make_is_none() -> None:
    ours = thread_token.message_id("effect")
    token, mark_, _ = ours.strip("<>").split(".", 2)
    for forged in (
        ours.replace(mark_, "a" * 16),
        ours.replace(token, "a" * 16),
        ours.replace("<", ""),
        f"<{token}.portaria@x>",
        ours.replace(".portaria@", ".portario@"),
        "",
        "<" * 10_000,
    ):
        assert thread_token.in_ids([forged]) == []
