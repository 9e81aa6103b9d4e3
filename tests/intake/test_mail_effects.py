"""A mail finds its conversation, or begins one; what only pretends to belong to it does not get in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Quarantined
from core.settings import settings
from crm import activities, activity_change, calendar_file, compose, messages, reachability, thread_token
from crm.activity_parts import Details, Participant
from crm.capture import capture
from crm.compose import Draft
from crm.conversion import Into, convert
from crm.mail_facts import Authentication, Bounce, FailedRecipient, OutOfOffice
from crm.messages import Letter
from crm.submission import Submission
from intake import journal
from intake.delivery import Delivery
from intake.mailbox.adapter import Mailbox
from models.activity import Activity
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal import Deal
from models.inbound import EventState, InboundEvent
from models.lead import Lead, LeadStatus
from models.message import Direction, Message, MessageState
from models.notification import Notification
from models.rule import StepRow, StepState
from models.source import Channel
from models.timeline import TimelineEntry
from models.user import User
from tests.factories import WORKSPACE, configure, deal, enquire, source, submission
from worker import executor, mailing

MAILBOX = "\nmailboxes: [{key: sales, host: imap.acme.test, username: sales@acme.test, password: p, plus_addresses: true%s}]\n"
RULES = """
  - name: all
    on: lead.created
    do:
      - assign: {team: inbound}
      - send_email: {template: welcome}
      - wait: {for: email.replied, timeout: 2 days}
      - if_done: [add_tag: answered]
  - {name: back, on: email.bounced, when: event.permanent, do: [add_tag: unreachable]}
"""
_number = 0


@pytest.fixture(autouse=True)
def configured(database: db.Database) -> None:
    configure(WORKSPACE + MAILBOX % "", rules=RULES)


def raw(text: str = "Yes please.", **headers: str) -> bytes:
    global _number
    _number += 1
    told = {
        "From": "Maria Souza <maria@client.test>",
        "To": "sales@acme.test",
        "Subject": "Re: Hello Maria Souza",
        "Message-ID": f"<{_number}@client.test>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items() if value)
    return (lines + "\r\n" + text).encode()


def arrive(body: bytes) -> InboundEvent:
    with db.unit_of_work() as session:
        delivery = Delivery(body=body, content_type="message/rfc822", received_at=clock.now())
        entry = journal.Entry(source(session, "sales", Channel.EMAIL).id, "imap", str(hash(body)), delivery)
        event_id = journal.append(session, [entry])[0].event_id
    executor.process_event(event_id)
    return event(event_id)


def event(event_id: str) -> InboundEvent:
    with db.reading() as session:
        return session.get_one(InboundEvent, event_id)


def release(row: InboundEvent) -> InboundEvent:
    with db.unit_of_work() as session:
        journal.replay(session, session.get_one(InboundEvent, row.id))
    executor.process_event(row.id)
    return event(row.id)


def lead(**more: Any) -> int:
    with db.unit_of_work() as session:
        return enquire(session, **more).lead.id


def welcomed(**more: Any) -> tuple[int, Message]:
    """A lead that was sent the welcome mail."""
    lead_id = lead(**more)
    with db.reading() as session:
        chosen = select(StepRow.id).where(StepRow.kind == "send_email").order_by(StepRow.id.desc())
        step_id = session.scalars(chosen.limit(1)).one()
    executor.Executor(1).run_step(step_id)
    with db.reading() as session:
        chosen_mail = select(Message).where(Message.lead_id == lead_id, Message.direction == Direction.OUT)
        return lead_id, session.scalars(chosen_mail).one()


def row(lead_id: int) -> Lead:
    with db.reading() as session:
        return session.get_one(Lead, lead_id)


def leads() -> list[int]:
    with db.reading() as session:
        return list(session.scalars(select(Lead.id).order_by(Lead.id)))


def kinds(lead_id: int) -> list[str]:
    with db.reading() as session:
        chosen = select(TimelineEntry.kind).where(TimelineEntry.lead_id == lead_id).order_by(TimelineEntry.id)
        return list(session.scalars(chosen))


def test_an_answer_joins_its_lead_wakes_what_waits_for_it_and_waits_for_an_answer_itself() -> None:
    lead_id, sent = welcomed()
    with db.unit_of_work() as session:
        session.get_one(Lead, lead_id).last_outbound_at = clock.now()
    assert not row(lead_id).unanswered
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        done = arrive(raw(In_Reply_To=sent.message_id))
    assert (done.state, done.lead_id, leads()) == (EventState.PROCESSED, lead_id, [lead_id])
    assert row(lead_id).unanswered
    assert row(lead_id).tags == ["answered"]
    assert row(lead_id).first_response_at is None
    assert "email" in kinds(lead_id)
    with db.reading() as session:
        came = session.scalars(select(Message).where(Message.direction == Direction.IN)).one()
        assert (came.lead_id, came.thread, came.state) == (lead_id, sent.thread, MessageState.RECEIVED)


@pytest.mark.parametrize("status", [LeadStatus.CONVERTED, LeadStatus.JUNK])
def test_an_answer_to_what_is_closed_makes_no_second_lead(status: LeadStatus) -> None:
    lead_id, sent = welcomed()
    with db.unit_of_work() as session:
        session.get_one(Lead, lead_id).status = status
    assert arrive(raw(In_Reply_To=sent.message_id)).lead_id == lead_id
    assert leads() == [lead_id]


def test_an_answer_joins_the_deal_that_its_lead_has_become() -> None:
    lead_id, sent = welcomed()
    with db.unit_of_work() as session:
        made = convert(
            session, session.get_one(Lead, lead_id), into=Into(frozenset({"contact", "deal"})), by="user:1"
        )
        deal_id = made.deal.id  # type: ignore[union-attr]
    arrive(raw(In_Reply_To=sent.message_id))
    with db.reading() as session:
        came = session.scalars(select(Message).where(Message.direction == Direction.IN)).one()
        assert (came.lead_id, came.deal_id) == (lead_id, deal_id)
        entry = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "email")).one()
        assert (entry.deal_id, entry.contact_id) == (deal_id, came.contact_id)


def test_the_token_is_found_wherever_an_honest_program_puts_it() -> None:
    lead_id, sent = welcomed()
    plus = thread_token.answer_address("sales@acme.test", sent.effect_key)
    others = " ".join(f"<{n}@x>" for n in range(30))
    for headers in (
        {"References": f"<a@b> {sent.message_id}"},
        {"References": f"{sent.message_id} {others}", "In_Reply_To": "<colleague@acme.test>"},
        {"To": f"Sales <{plus}>", "Subject": "Something else"},
        {"To": f"<{plus.upper()}>"},
        {"In_Reply_To": sent.message_id, "From": "Secretary <office@client.test>"},
    ):
        assert arrive(raw(**headers)).lead_id == lead_id, headers
    assert leads() == [lead_id]
    with db.reading() as session:  # an address that was not known is told, and not taken for hers
        assert session.scalars(select(ContactPoint.value)).all() == ["maria@client.test"]
        mails = select(TimelineEntry).where(TimelineEntry.kind == "email").order_by(TimelineEntry.id)
        told = session.scalars(mails).all()
    assert "office@client.test, an address that was not known" in told[-1].data["joined"]


def test_what_anybody_can_write_joins_nobody_s_conversation() -> None:
    lead_id, sent = welcomed()
    token = sent.token or ""
    before = kinds(lead_id)
    stranger = "Mallory <mallory@evil.test>"
    for headers in (
        {"In_Reply_To": f"<{token}.{'a' * 16}.portaria@127.0.0.1>"},
        {"In_Reply_To": f"<{token}.portaria@127.0.0.1>", "References": "<1@client.test>"},
        {"Reply_To": "maria@client.test"},
        {"Cc": "maria@client.test", "To": "maria@client.test, sales@acme.test"},
        {"To": f"sales+{token}-{'a' * 16}@acme.test"},
        {"Subject": "Re: Hello Maria Souza"},
        {"Sender": "maria@client.test"},
    ):
        done = arrive(raw(**{"From": stranger, **headers}))
        assert done.lead_id != lead_id, headers
    assert kinds(lead_id) == before


def test_a_further_mail_follows_the_earlier_ones_of_the_same_person_only() -> None:
    first = arrive(raw(From="Joe <joe@shop.test>", Subject="Ten chairs", Message_ID="<first@shop.test>"))
    assert first.lead_id is not None
    again = arrive(raw(From="Joe <JOE@shop.test>", Subject="One more thing", References="<first@shop.test>"))
    by_subject = arrive(raw(From="Joe <joe@shop.test>", Subject="AW: Re[2]: Ten  chairs"))
    other = arrive(raw(From="Eve <eve@evil.test>", Subject="RE: Ten chairs", References="<first@shop.test>"))
    assert [again.lead_id, by_subject.lead_id] == [first.lead_id] * 2
    assert other.lead_id not in (first.lead_id, None)
    told = kinds(first.lead_id)
    assert (told.count("submission"), told.count("email")) == (1, 2)


@pytest.mark.parametrize(
    ("policy", "leads_after", "tags"),
    [("attach", 1, ["repeat"]), ("repeat", 2, ["again", "repeat"]), ("new", 2, ["again"])],
)
def test_a_known_person_s_new_subject_follows_the_source_s_policy(
    policy: str, leads_after: int, tags: list[str]
) -> None:
    rules = (
        "  - {name: n, on: lead.created, do: [add_tag: again]}\n"
        "  - {name: r, on: lead.repeat, do: [add_tag: repeat]}"
    )
    configure(WORKSPACE + MAILBOX % f", on_known: {policy}", rules=rules)
    lead_id = lead()
    with db.unit_of_work() as session:
        first = session.get_one(Lead, lead_id)
        first.tags = []
        first.owner = session.scalars(select(User).where(User.name == "Bruno")).one()
    done = arrive(raw(Subject="Another matter"))
    assert done.lead_id is not None
    assert len(leads()) == leads_after
    found = row(done.lead_id)
    assert sorted(found.tags) == tags
    with db.reading() as session:
        owner = session.get_one(Lead, done.lead_id).owner
        assert (owner.name if owner else None) == ("Bruno" if policy != "new" else None)
    # The leads stay apart, and what comes without a subject of its own goes to the latest.
    configure(WORKSPACE + MAILBOX % "", rules=rules)
    assert arrive(raw(Subject="A third matter")).lead_id == done.lead_id
    assert len(leads()) == leads_after


class Judged(Mailbox):
    """The adapter, with what a trusted host has found: in the real one it stands in a header."""

    def parse(self, delivery: Delivery, settings: Any) -> Any:
        found = super().parse(delivery, settings)
        dmarc = next((w for w in ("pass", "fail", "none") if f"X-Dmarc: {w}".encode() in delivery.body), None)
        if not isinstance(found, Submission) or found.mail is None or dmarc is None:
            return found
        return replace(found, mail=replace(found.mail, authentication=Authentication("mx", dmarc=dmarc)))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(executor.pipeline.ADAPTERS, "imap", Judged())


@pytest.mark.usefixtures("judged")
def test_what_fails_dmarc_joins_nobody_without_a_person_s_word() -> None:
    lead_id, sent = welcomed()
    for headers in (
        {"In_Reply_To": sent.message_id},
        {"Subject": "Something new"},
        {"In_Reply_To": sent.message_id, "From": "x@elsewhere.test"},
    ):
        held = arrive(raw(X_Dmarc="fail", **headers))
        assert held.state is EventState.QUARANTINED
        assert "fails DMARC" in (held.error or "")
        assert held.envelope["facts"]["held"]["message"] == "Yes please."
    assert leads() == [lead_id]
    assert row(lead_id).tags == []
    with db.reading() as session:
        first = session.scalars(select(InboundEvent).order_by(InboundEvent.id)).first()
        assert first is not None
    released = release(first)
    assert (released.state, released.lead_id) == (EventState.PROCESSED, lead_id)
    assert row(lead_id).tags == ["answered"]
    assert arrive(raw(X_Dmarc="pass", In_Reply_To=sent.message_id)).lead_id == lead_id
    # A stranger whose domain disowns the mail pretends to be nobody we know.
    assert arrive(raw(X_Dmarc="fail", From="new@unknown.test")).state is EventState.PROCESSED


class Machine(Mailbox):
    """The adapter, told what the mail is: how machines' mails are read is tried elsewhere."""

    def __init__(self, **told: Any) -> None:
        self.told = told

    def parse(self, delivery: Delivery, settings: Any) -> Any:
        try:
            found: Any = super().parse(delivery, settings)
        except Quarantined as verdict:
            found = verdict.submission
        if isinstance(found, Bounce | OutOfOffice):
            found = found.submission
        assert isinstance(found, Submission)
        assert found.mail is not None
        if "until" in self.told:
            return OutOfOffice(
                found.mail, found.mail.sender, "it is away", found, text="Back soon", **self.told
            )
        return Bounce(found.mail, reason="550 5.1.1 no such user", submission=found, **self.told)


def told(monkeypatch: pytest.MonkeyPatch, body: bytes, **what: Any) -> InboundEvent:
    with monkeypatch.context() as other:
        other.setitem(executor.pipeline.ADAPTERS, "imap", Machine(**what))
        return arrive(body)


DAEMON = {"From": "MAILER-DAEMON@mx.test", "Subject": "Undelivered"}
GONE = (FailedRecipient("maria@client.test", "failed", "5.1.1", "550 5.1.1 no such user"),)
FULL = (FailedRecipient("maria@client.test", "failed", "4.2.2", "452 full"),)
LATE = (FailedRecipient("maria@client.test", "delayed", "4.4.1", "no answer yet"),)


def test_a_mail_that_came_back_marks_its_address_its_step_and_the_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead_id, sent = welcomed()
    done = told(monkeypatch, raw(**DAEMON), recipients=GONE, original_message_id=sent.message_id)
    assert (done.state, done.lead_id) == (EventState.PROCESSED, lead_id)
    with db.reading() as session:
        message = session.get_one(Message, sent.id)
        assert (message.state, message.error) == (MessageState.BOUNCED, "550 5.1.1 no such user")
        step = session.get_one(StepRow, sent.step_id)
        assert step.state is StepState.FAILED
        assert "it came back: 550 5.1.1 no such user" in (step.result or "")
        point = reachability.point(session, "maria@client.test")
        assert point is not None
        assert point.bounced_at is not None
    assert row(lead_id).tags == ["unreachable"]
    assert "mail_bounced" in kinds(lead_id)
    # Whoever writes from there reads it after all.
    arrive(raw())
    with db.reading() as session:
        point = reachability.point(session, "maria@client.test")
        assert point is not None
        assert point.bounced_at is None


@pytest.mark.parametrize(("lost", "state"), [(FULL, MessageState.BOUNCED), (LATE, MessageState.SENT)])
def test_what_may_pass_marks_no_address(
    monkeypatch: pytest.MonkeyPatch, lost: tuple[FailedRecipient, ...], state: MessageState
) -> None:
    lead_id, sent = welcomed()
    told(monkeypatch, raw(**DAEMON), recipients=lost, original_message_id=sent.message_id)
    with db.reading() as session:
        assert session.get_one(Message, sent.id).state is state
        point = reachability.point(session, "maria@client.test")
        assert point is not None
        assert point.bounced_at is None
    assert row(lead_id).tags == []


def test_a_forged_report_marks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lead_id, sent = welcomed()
    forged = f"<{sent.token}.{'b' * 16}.portaria@127.0.0.1>"
    for original in ("", forged, "<1@client.test>"):
        done = told(monkeypatch, raw(**DAEMON), recipients=GONE, original_message_id=original)
        assert done.state is EventState.QUARANTINED
    with db.reading() as session:
        assert session.get_one(Message, sent.id).state is MessageState.SENT
    assert "mail_bounced" not in kinds(lead_id)


def test_out_of_office_is_noted_and_neither_an_answer_nor_anything_to_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead_id, sent = welcomed()
    heard_at = row(lead_id).last_inbound_at
    done = told(
        monkeypatch, raw(Subject="Away"), until=date(2026, 12, 1), original_message_id=sent.message_id
    )
    assert (done.state, done.lead_id) == (EventState.PROCESSED, lead_id)
    found = row(lead_id)
    assert (found.last_inbound_at, found.tags, found.first_response_at) == (heard_at, [], None)
    with db.reading() as session:
        entry = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "out_of_office")).one()
    assert entry.summary == "Out of office: maria@client.test is away until 2026-12-01"
    stranger = told(
        monkeypatch, raw(From="x@nobody.test"), until=date(2026, 12, 1), original_message_id="<1@x>"
    )
    assert stranger.state is EventState.QUARANTINED


def test_an_answer_by_rule_says_so_and_stays_in_the_thread() -> None:
    configure(
        WORKSPACE + MAILBOX % "",
        rules="  - {name: a, on: email.received, do: [send_email: {template: welcome}]}",
    )
    arrive(raw(Subject="Ten chairs", Message_ID="<q@client.test>", References="<p@client.test>"))
    with db.reading() as session:
        step_id = session.scalars(select(StepRow.id).where(StepRow.kind == "send_email")).one()
    executor.Executor(1).run_step(step_id)
    (file,) = (settings().data_dir / "outbox").glob("*.eml")
    sent = file.read_text()
    assert "Auto-Submitted: auto-replied" in sent
    assert "In-Reply-To: <q@client.test>" in sent
    assert "References: <p@client.test> <q@client.test>" in sent
    assert "Reply-To: sales+" in sent


def test_what_a_person_answers_goes_on_in_the_thread() -> None:
    lead_id = arrive(raw(Subject="Ten chairs", Message_ID="<q@client.test>")).lead_id
    assert lead_id is not None
    with db.unit_of_work() as session:
        came = session.scalars(select(Message).where(Message.direction == Direction.IN)).one()
        draft = Draft("maria@client.test", Letter("Re: Ten chairs", "Of course."), answers=came)
        message = compose.write(session, came.lead, draft, key="k", actor="user:1", user=None)  # type: ignore[arg-type]
        message_id, thread = message.id, came.thread
    mailing.send(message_id)
    with db.reading() as session:
        message = session.get_one(Message, message_id)
        assert (message.state, message.thread, message.mailbox) == (MessageState.SENT, thread, "sales")
        assert not session.get_one(Lead, lead_id).unanswered
        answer_to = message.message_id
    assert arrive(raw(In_Reply_To=answer_to, Subject="whatever")).lead_id == lead_id


def test_a_conversation_goes_on_where_its_lead_was_merged() -> None:
    lead_id, sent = welcomed()
    with db.unit_of_work() as session:
        other = enquire(session, emails=("joe@shop.test",), name="Joe").lead
        mine = session.get_one(Lead, lead_id)
        mine.status, mine.merged_into_id = LeadStatus.MERGED, other.id
        other_id = other.id
    assert arrive(raw(In_Reply_To=sent.message_id)).lead_id == other_id


REPORT = """Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Your message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.client.test

Final-Recipient: rfc822; maria@client.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
--b
Content-Type: text/rfc822-headers

Message-ID: {}
Subject: Hello Maria Souza
--b--
"""


def test_a_server_s_own_report_is_read_as_one() -> None:
    lead_id, sent = welcomed()
    head = b"From: MAILER-DAEMON@mx.client.test\r\nTo: sales@acme.test\r\nSubject: Undelivered\r\n"
    head += b"Return-Path: <>\r\nMessage-ID: <dsn@mx.client.test>\r\n"
    done = arrive(head + REPORT.format(sent.message_id).replace("\n", "\r\n").encode())
    assert (done.state, done.lead_id) == (EventState.PROCESSED, lead_id)
    assert row(lead_id).tags == ["unreachable"]
    with db.reading() as session:
        point = reachability.point(session, "maria@client.test")
        assert point is not None
        assert "550 5.1.1 no such user" in (point.bounce_reason or "")


def test_what_one_of_us_answers_from_another_program_is_the_first_answer() -> None:
    lead_id, sent = welcomed()
    mail = raw(
        From="Ana <ana@acme.test>", To="maria@client.test", Cc="sales@acme.test", References=sent.message_id
    )
    done = arrive(mail)
    assert (done.state, done.lead_id, leads()) == (EventState.PROCESSED, lead_id, [lead_id])
    found = row(lead_id)
    assert found.first_response_at is not None
    assert not found.unanswered
    assert kinds(lead_id)[-1] == "mail_sent"
    assert found.tags == []


def test_the_trusted_host_s_word_decides_and_nobody_else_s() -> None:
    configure(WORKSPACE + MAILBOX % ", authserv_id: mx.acme.test", rules=RULES)
    lead_id, sent = welcomed()
    verdict = "%s; dmarc=%s header.from=client.test"
    own = arrive(raw(In_Reply_To=sent.message_id, Authentication_Results=verdict % ("mx.acme.test", "fail")))
    assert own.state is EventState.QUARANTINED
    other = arrive(
        raw(In_Reply_To=sent.message_id, Authentication_Results=verdict % ("mx.evil.test", "fail"))
    )
    assert other.lead_id == lead_id
    assert (release(own).state, event(own.id).lead_id) == (EventState.PROCESSED, lead_id)
    with db.reading() as session:
        told = session.scalars(select(TimelineEntry).where(TimelineEntry.event_id == own.id)).one()
    assert told.data["authentication"] == "DMARC fail by mx.acme.test"


def test_an_answer_of_a_contact_of_whom_nothing_is_open_stands_on_the_contact_and_waits_for_its_owner() -> (
    None
):
    lead_id = lead()
    with db.unit_of_work() as session:
        made = convert(
            session, session.get_one(Lead, lead_id), into=Into(frozenset({"contact"})), by="user:1"
        )
        maria = made.contact
        assert maria is not None
        maria.owner_id = session.scalars(select(User.id).where(User.name == "Bruno")).one()
        contact_id, owner_id = maria.id, maria.owner_id
    unknown = {"In_Reply_To": "<of-bruno-s-own-program@acme.test>", "Subject": "AW: Lunch"}
    done = arrive(raw(**unknown))
    arrive(raw(text="And another thing", **unknown))
    assert (done.state, done.lead_id, leads()) == (EventState.PROCESSED, None, [lead_id])
    executor.process_event(done.id)  # rung once more
    with db.reading() as session:
        first, second = session.scalars(select(Message).where(Message.direction == Direction.IN))
        assert (first.lead_id, first.contact_id, second.contact_id) == (None, contact_id, contact_id)
        told = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "email")).all()
        assert [(e.lead_id, e.contact_id, e.data["text"]) for e in told] == [
            (None, contact_id, "Yes please."),
            (None, contact_id, "And another thing"),
        ]
        waits = session.scalars(select(Activity).where(Activity.type == "email")).one()
        assert (waits.subject, waits.owner_id, waits.contact_id) == (
            "Answer: AW: Lunch",
            owner_id,
            contact_id,
        )
    # A subject of its own is a new enquiry, and what is passed on is no answer.
    assert arrive(raw(Subject="Ten more chairs")).lead_id not in (None, lead_id)


def test_an_answer_that_we_cannot_place_goes_to_the_open_lead_else_to_the_open_deal() -> None:
    configure(WORKSPACE + MAILBOX % ", on_known: new", rules="  []")
    older, newer = lead(), lead()
    assert older == newer  # a form attaches
    with db.unit_of_work() as session:
        again = enquire_apart(session)
    answered = arrive(raw(Subject="Re: nothing of ours"))
    assert answered.lead_id == again  # the newest, by the one rule for all channels
    with db.unit_of_work() as session:
        for lead_id in (older, again):
            convert(session, session.get_one(Lead, lead_id), into=Into(frozenset({"contact"})), by="user:1")
        theirs = deal(session, contact_id=session.get_one(Lead, older).contact_id)
        deal_id = theirs.id
    before = leads()
    assert arrive(raw(Subject="Re: nothing of ours at all")).lead_id is None
    assert leads() == before
    with db.reading() as session:
        entry = session.scalars(select(TimelineEntry).order_by(TimelineEntry.id.desc()).limit(1)).one()
        mail = session.scalars(select(Message).order_by(Message.id.desc()).limit(1)).one()
    assert (entry.deal_id, mail.deal_id, mail.lead_id) == (deal_id, deal_id, None)
    for headers in (
        {"Subject": "Fwd: something", "From": "maria@client.test"},
        {"Subject": "Re: x", "From": "eve@evil.test", "Reply_To": "maria@client.test"},
    ):
        assert arrive(raw(**headers)).lead_id not in before, headers


@pytest.mark.parametrize("policy", ["attach", "repeat", "new"])
def test_a_new_subject_of_somebody_who_has_only_a_deal_open_follows_the_policy_too(policy: str) -> None:
    rules = (
        "  - {name: a, on: email.received, do: [add_tag: received]}\n"
        "  - {name: b, on: email.replied, do: [add_tag: replied]}\n"
        "  - {name: r, on: lead.repeat, do: [add_tag: repeat]}"
    )
    configure(WORKSPACE + MAILBOX % f", on_known: {policy}", rules=rules)
    first = lead()
    with db.unit_of_work() as session:
        into = Into(frozenset({"contact"}))
        maria = convert(session, session.get_one(Lead, first), into=into, by="user:1").contact
        assert maria is not None
        bruno = session.scalars(select(User).where(User.name == "Bruno")).one()
        deal_id = deal(session, contact_id=maria.id, owner_id=bruno.id).id
    done = arrive(raw(Subject="Ten more chairs"))
    with db.reading() as session:
        theirs = session.get_one(Deal, deal_id)
        mail = session.scalars(select(Message).order_by(Message.id.desc()).limit(1)).one()
        if policy == "attach":
            assert (done.lead_id, mail.deal_id, mail.contact_id, leads()) == (
                None,
                deal_id,
                maria.id,
                [first],
            )
            assert (theirs.tags, theirs.waits_since is not None) == (["received"], True)
            waits = session.scalars(select(Activity).where(Activity.deal_id == deal_id)).one()
            assert (waits.subject, waits.owner_id) == ("Answer: Ten more chairs", bruno.id)
        else:
            made = session.get_one(Lead, done.lead_id)
            assert (made.contact_id, theirs.tags, theirs.waits_since) == (maria.id, [], None)
            assert (made.owner_id == bruno.id, "repeat" in made.tags) == (policy == "repeat",) * 2
    other = arrive(raw(Subject="And five", From="eve@evil.test", Reply_To="maria@client.test"))
    assert other.lead_id not in (None, first)


def enquire_apart(session: Session) -> int:
    """A second open lead of the same person."""
    made = capture(session, submission(), source=source(session), event_id=None, country="BR", on_known="new")
    return made.lead.id


def test_an_answer_and_a_bounce_of_what_was_written_to_a_contact_are_the_contact_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(WORKSPACE + MAILBOX % "", rules="  - {name: a, on: email.replied, do: [add_tag: warm]}")
    lead_id = lead()
    with db.unit_of_work() as session:
        made = convert(
            session, session.get_one(Lead, lead_id), into=Into(frozenset({"contact"})), by="user:1"
        )
        assert made.contact is not None
        contact_id = made.contact.id
        sent = messages.note(
            session,
            made.contact,
            Letter("News", "Have you seen?"),
            to="maria@client.test",
            effect_key="news",
            actor="rule:news",
            automatic=True,
        )
        message_id, sent.state = sent.message_id, MessageState.SENT
    done = arrive(raw(In_Reply_To=message_id, Subject="whatever", From="Office <office@client.test>"))
    assert (done.state, done.lead_id, leads()) == (EventState.PROCESSED, None, [lead_id])
    back = told(monkeypatch, raw(**DAEMON), recipients=GONE, original_message_id=message_id)
    assert (back.state, back.lead_id) == (EventState.PROCESSED, None)
    away = told(monkeypatch, raw(Subject="Away"), until=date(2026, 12, 1), original_message_id=message_id)
    assert (away.state, away.lead_id) == (EventState.PROCESSED, None)
    with db.reading() as session:
        chosen = select(TimelineEntry).where(
            TimelineEntry.event_id.is_not(None), TimelineEntry.lead_id.is_(None)
        )
        entries = session.scalars(chosen.order_by(TimelineEntry.id)).all()
        assert [(e.kind, e.contact_id) for e in entries] == [
            (kind, contact_id) for kind in ("email", "mail_bounced", "out_of_office")
        ]
        assert session.get_one(Contact, contact_id).tags == ["warm"]
        point = reachability.point(session, "maria@client.test")
        assert point is not None
        assert point.bounced_at is not None


def test_a_role_found_in_a_signature_is_seen_by_rules_and_goes_to_the_contact() -> None:
    rules = "  - {name: b, on: lead.created, when: 'lead.role.contains(\"Einkauf\")', do: [add_tag: buyer]}"
    configure(WORKSPACE + MAILBOX % "", rules=rules)
    text = "Was kosten zehn Stühle?\r\n\r\n-- \r\nEva Blum\r\nLeiterin Einkauf\r\nBlum GmbH\r\n"
    done = arrive(raw(text, From="Eva Blum <eva@blum.test>", Subject="Stühle"))
    assert done.lead_id is not None
    found = row(done.lead_id)
    assert (found.found or {})["role"] == "Leiterin Einkauf"
    assert found.tags == ["buyer"]
    with db.unit_of_work() as session:
        into = Into(frozenset({"contact"}))
        made = convert(session, session.get_one(Lead, found.id), into=into, by="user:1").contact
        assert made is not None
        assert made.position == "Leiterin Einkauf"


def test_what_a_colleague_passes_on_is_the_original_sender_s_and_joins_their_open_lead() -> None:
    configure(WORKSPACE + MAILBOX % ", colleagues: [agency.test], authserv_id: mx.acme.test", rules="  []")
    lead_id = lead()
    inside = (
        "For you.\r\n\r\nFrom: Maria <maria@client.test>\r\nSent: Monday\r\nTo: Eva <eva@agency.test>\r\n"
    )
    inside += "Subject: Ten chairs\r\n\r\nAnd how much are ten?\r\n"
    eva = {"From": "Eva <eva@agency.test>", "Subject": "FW: Ten chairs"}
    assert (arrive(raw(inside, **eva)).lead_id, leads()) == (lead_id, [lead_id])
    sales = {"From": "sales@acme.test", "Subject": "One for us"}  # from the mailbox to itself
    assert (arrive(raw(inside, **sales)).lead_id, leads()) == (lead_id, [lead_id])
    with db.reading() as session:
        chosen = select(TimelineEntry).where(TimelineEntry.kind == "submission").order_by(TimelineEntry.id)
        told = session.scalars(chosen).all()
    assert told[-1].data["message"] == "And how much are ten?"
    assert told[-1].data["extra"]["forwarded_by"] == "sales@acme.test"
    forged = "mx.acme.test; dmarc=fail header.from=agency.test"
    assert arrive(raw(inside, Authentication_Results=forged, **eva)).state is EventState.QUARANTINED
    plain = arrive(raw("Lunch at one?", From="Ana <ana@acme.test>", Subject="Lunch"))
    assert plain.state is EventState.QUARANTINED


def calendar_reply(uid: str, answer: str, *, attendee: str = "maria@client.test", sequence: int = 0) -> bytes:
    text = (
        f"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nSEQUENCE:{sequence}\r\n"
        f"ATTENDEE;PARTSTAT={answer};CN=Maria:mailto:{attendee}\r\nSUMMARY:Show it\r\nCOMMENT:In the\\, rain\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    return raw(text, Subject="Accepted: Show it", Content_Type="text/calendar; method=REPLY; charset=utf-8")


def test_whether_who_was_invited_comes_is_noted_and_told_and_nobody_answers_for_them() -> None:
    configure(WORKSPACE + MAILBOX % ", authserv_id: mx.acme.test", rules="  []")
    lead_id = lead()
    with db.unit_of_work() as session:
        ana = session.scalars(select(User).where(User.name == "Ana")).one()
        who = (Participant(email="maria@client.test", name="Maria"), Participant(email="rui@client.test"))
        meeting = activities.plan(
            session, session.get_one(Lead, lead_id), type="meeting", subject="Show it", actor="user:1",
            due_at=clock.now() + timedelta(days=1), owner_id=ana.id, details=Details(participants=who, invites=True),
        )  # fmt: skip
        known_by = calendar_file.uid(meeting)
        activity_id = meeting.id

    def answers() -> list[str | None]:
        with db.reading() as session:
            return [p.answer for p in session.get_one(Activity, activity_id).participants]

    done = arrive(calendar_reply(known_by, "ACCEPTED"))
    assert (done.state, done.lead_id, leads()) == (EventState.PROCESSED, None, [lead_id])
    assert answers() == ["accepted", None]
    executor.process_event(done.id)  # rung once more
    with db.reading() as session:
        entry = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "activity_answered")).one()
        assert (entry.lead_id, entry.summary) == (lead_id, "Maria has accepted: Show it")
        assert entry.data["text"] == "In the, rain"
        told_to = session.scalars(select(Notification)).one()
        assert (told_to.user_id, told_to.text) == (ana.id, entry.summary)
    assert arrive(calendar_reply(known_by, "TENTATIVE")).state is EventState.PROCESSED
    assert answers() == ["tentative", None]
    failing = calendar_reply(known_by, "DECLINED").replace(
        b"Subject:",
        b"Authentication-Results: mx.acme.test; dmarc=fail header.from=client.test\r\nSubject:",
        1,
    )
    for forged in (
        calendar_reply(known_by, "DECLINED", attendee="rui@client.test"),
        calendar_reply(known_by.replace(str(activity_id), "99", 1), "DECLINED"),
        calendar_reply("activity-x@acme.test", "DECLINED"),
        calendar_reply(known_by, "DELEGATED"),
        failing,
    ):
        assert arrive(forged).state is EventState.QUARANTINED
    assert answers() == ["tentative", None]
    with db.unit_of_work() as session:
        activity_change.change(
            session, session.get_one(Activity, activity_id), {"place": "The office"}, actor="user:1"
        )
    assert answers() == [None, None]  # they are asked once more
    assert arrive(calendar_reply(known_by, "DECLINED")).state is EventState.PROCESSED  # to what it was
    assert answers() == [None, None]
    assert arrive(calendar_reply(known_by, "DECLINED", sequence=1)).state is EventState.PROCESSED
    assert answers() == ["declined", None]
