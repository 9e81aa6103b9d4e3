"""Each step: what it does, in a table; and what is refused when a rule with it is published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Invalid
from models.activity import Activity, ActivityState
from models.lead import Lead, LeadStatus
from models.message import Message
from models.notification import Notification
from models.rule import Run, RunState, StepRow, StepState, Trace
from models.timeline import TimelineEntry
from models.user import User
from models.workspace import WorkspaceRow
from rules import runs
from rules.order import WebhookOrder
from tests.factories import WORKSPACE, configure, configure_in, enquire


def rule(*steps: str, name: str = "r", more: str = "") -> str:
    return f"  - {{name: {name}, on: lead.created, do: [{', '.join(steps)}]}}\n{more}"


@pytest.mark.parametrize(
    ("steps", "seen", "expected"),
    [
        (["add_tag: hot", "remove_tag: hot"], lambda lead: lead.tags, []),
        (["remove_tag: cold"], lambda lead: lead.tags, []),
        (["add_tag: '{{ lead.channel }}'"], lambda lead: lead.tags, ["form"]),
        (["score: 10", "score: -3"], lambda lead: lead.score, 7),
        (["set: {score: 40}", "score: 2"], lambda lead: lead.score, 42),
        (["change_status: in_progress"], lambda lead: lead.status, LeadStatus.IN_PROGRESS),
        (["mark_junk: advertisement"], lambda lead: lead.status, LeadStatus.JUNK),
        (["assign: {user: ana@acme.test}", "unassign: 'too slow'"], lambda lead: lead.owner, None),
        (["unassign"], lambda lead: lead.owner, None),
    ],
)
def test_what_a_step_does(
    session: Session, steps: list[str], seen: Callable[[Lead], Any], expected: Any
) -> None:
    configure_in(session, rules=rule(*(step if ":" not in step else f"{{{step}}}" for step in steps)))
    assert seen(enquire(session).lead) == expected
    assert {row.state for row in session.scalars(select(StepRow))} == {StepState.DONE}
    assert all(row.result for row in session.scalars(select(StepRow)))


def test_a_comment_stands_on_the_timeline(session: Session) -> None:
    configure_in(session, rules=rule('{comment: "From {{ lead.source }}\\nas a {{ lead.channel }}"}'))
    lead = enquire(session).lead
    entry = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "comment")).one()
    assert (entry.lead_id, entry.actor) == (lead.id, "rule:r")
    assert entry.summary == "From contact as a form"
    assert entry.data["text"] == "From contact\nas a form"


@pytest.mark.parametrize(
    ("step", "left", "ended"),
    [
        ("complete_activity: call", 1, ActivityState.DONE),
        ("complete_activity: {type: any, outcome: reached}", 0, ActivityState.DONE),
        ("complete_activity: {type: task, cancel: true}", 1, ActivityState.CANCELLED),
        ("complete_activity: meeting", 2, None),
    ],
)
def test_planned_activities_are_ended(
    session: Session, step: str, left: int, ended: ActivityState | None
) -> None:
    plans = ["{schedule: {type: call, subject: a, due: 1 hours}}", "{schedule: {subject: b, due: 1 hours}}"]
    configure_in(session, rules=rule(*plans, f"{{{step}}}"))
    enquire(session)
    states = [a.state for a in session.scalars(select(Activity))]
    assert states.count(ActivityState.PLANNED) == left
    assert {s for s in states if s is not ActivityState.PLANNED} == ({ended} if ended else set())


def test_a_meeting_is_planned_with_all_that_belongs_to_it(session: Session) -> None:
    meeting = (
        "{schedule: {type: meeting, subject: Show it, due: 2 days, duration: 1 hour, place: 'At {{ lead.company }}',"
        " note: 'Asked: {{ lead.message }}', participants: [lead, bruno@acme.test, x@y.test, lead], invite: true,"
        " reminders: [15 minutes, 1 day], recurrence: FREQ=WEEKLY;COUNT=3}}"
    )
    configure_in(session, rules=rule("{assign: ana@acme.test}", meeting))
    lead = enquire(session, company="Sol", message="When?").lead
    made = session.scalars(select(Activity)).one()
    assert (made.minutes, made.place, made.note, made.recurrence) == (
        60,
        "At Sol",
        "Asked: When?",
        "FREQ=WEEKLY;COUNT=3",
    )
    assert sorted(r.minutes for r in made.reminders) == [15, 24 * 60]
    bruno = session.scalars(select(User).where(User.name == "Bruno")).one()
    assert [(p.user_id, p.email) for p in made.participants] == [
        (None, lead.email),
        (bruno.id, None),
        (None, "x@y.test"),
    ]
    invited = session.scalars(select(Message).where(Message.calendar != "").order_by(Message.id)).all()
    assert [m.to_address for m in invited] == [lead.email, "bruno@acme.test", "x@y.test"]


@pytest.mark.parametrize(
    "more",
    [
        "duration: 0 minutes",
        "duration: 31 days",
        "duration: 2 business hours",
        "reminders: [soon]",
        "reminders: [90 seconds]",
        "reminders: [61 days]",
        "recurrence: FREQ=HOURLY",
        "place: '{{ lead.nowhere }}'",
        "note: '{% if %}'",
        "participants: [nobody]",
        "invite: true",
    ],
)
def test_a_meeting_that_cannot_be_is_refused_when_it_is_published(session: Session, more: str) -> None:
    with pytest.raises(Invalid):
        configure_in(session, rules=rule(f"{{schedule: {{subject: a, due: 1 hour, {more}}}}}"))


def test_a_rule_starts_another_one_where_its_condition_is_true(session: Session) -> None:
    configure_in(
        session,
        rules=rule("{start_rule: Big}", "{start_rule: Small}")
        + """
  - {name: Big, on: manual, when: lead.fields.employees > 100, do: [add_tag: big]}
  - {name: Small, on: manual, when: lead.fields.employees <= 100, do: [add_tag: small]}
""",
    )
    assert enquire(session, fields={"employees": 500}).lead.tags == ["big"]


def test_a_rule_ends_what_another_one_waits_for(session: Session) -> None:
    configure_in(
        session,
        rules="""
  - {name: Nurture, on: lead.created, do: [wait: 3 days, add_tag: nurtured]}
  - {name: Answered, on: tag.added, when: event.tag == "answered", do: [stop_rule: Nurture]}
  - {name: Last, on: lead.created, do: [add_tag: answered]}
""",
    )
    enquire(session)
    run = session.scalars(select(Run).where(Run.rule == "Nurture")).one()
    assert (run.state, run.ended_why) == (RunState.CANCELLED, "stopped by the rule Answered")


def test_a_webhook_s_answer_is_there_for_the_steps_after_it(database: db.Database) -> None:
    configure(
        rules=rule(
            '{send_webhook: {url: "https://crm.example.com/x", body: {who: "{{ lead.email }}", n: [1, "{{ lead.name }}"]}, answer_as: crm}}',
            '{set: {known: "{{ answers.crm.customer.number }}"}}',
            "{if: answers.crm.customer.number == 7, then: [{add_tag: customer}], else: [{add_tag: new}]}",
        )
    )
    with database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
        assert session.get_one(Lead, lead_id).tags == []
        (step_id,) = session.scalars(select(StepRow.id)).all()  # what comes after waits for the answer
    with database.unit_of_work() as session:
        job = runs.claim(session, step_id)
        assert job is not None
        assert isinstance(job.order, WebhookOrder)
        assert job.order.payload == {"who": "maria@client.test", "n": [1, "Maria Souza"]}
    with database.unit_of_work() as session:
        runs.done(session, job, "answered 200", {"customer": {"number": 7}})
    with database.reading() as session:
        lead = session.get_one(Lead, lead_id)
        assert (lead.fields["known"], lead.tags) == ("7", ["customer"])
        assert session.scalars(select(Run.state)).one() is RunState.DONE


def test_a_webhook_that_fails_for_good_lets_the_run_go_on_without_an_answer(database: db.Database) -> None:
    configure(
        rules=rule(
            '{send_webhook: {url: "https://crm.example.com/x", answer_as: crm}}',
            "{if: answers.crm.ok == true, then: [{add_tag: known}], else: [{add_tag: unknown}]}",
        )
    )
    with database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
        (step_id,) = session.scalars(select(StepRow.id)).all()
    with database.unit_of_work() as session:
        job = runs.claim(session, step_id)
    assert job is not None
    with database.unit_of_work() as session:
        runs.failed(session, job, "answered 404", retry=False)
    with database.reading() as session:
        assert session.get_one(Lead, lead_id).tags == ["unknown"]
        assert session.scalars(select(Run.state)).one() is RunState.FAILED


@pytest.mark.parametrize(
    ("url", "payload"),
    [
        ("https://hooks.slack.com/services/T/B/x", {"text": "New: Maria Souza"}),
        ("https://api.telegram.org/bot1:x/sendMessage", {"chat_id": "-100", "text": "New: Maria Souza"}),
        (
            "https://acme.webhook.office.com/x",
            {
                "type": "message",
                "attachments": [
                    {
                        "contentType": "application/vnd.microsoft.card.adaptive",
                        "content": {
                            "type": "AdaptiveCard",
                            "version": "1.4",
                            "body": [{"type": "TextBlock", "text": "New: Maria Souza", "wrap": True}],
                        },
                    }
                ],
            },
        ),
    ],
)
def test_messengers_are_told_in_their_own_words(session: Session, url: str, payload: dict[str, Any]) -> None:
    chat = ', chat: "-100"' if "telegram" in url else ""
    configure_in(
        session, rules=rule(f'{{notify: {{webhook: "{url}", text: "New: {{{{ lead.name }}}}"{chat}}}}}')
    )
    with clock.frozen(clock.now()):
        enquire(session)
    job = runs.claim(session, session.scalars(select(StepRow.id)).one())
    assert job is not None
    assert isinstance(job.order, WebhookOrder)
    assert job.order.payload == payload


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("{wait: soon}", "'soon' is no duration"),
        ("{wait: {for: call.complete, timeout: 2 hours}}", "did you mean 'call.completed'?"),
        ("{wait: {for: call.completed}}", "belong together"),
        (
            "{wait: {for: call.completed, timeout: 2 hours, where: 'call.lne == \"x\"'}}",
            "did you mean 'line'?",
        ),
        ("{wait: {duration: 2 hours, until: '09:00'}}", "needs one of"),
        ("{unless_done: [{add_tag: x}]}", "needs a 'wait' before it"),
        ("{if: lead.scor > 1, then: [{add_tag: x}]}", "did you mean 'score'?"),
        ("{if: lead.score > 1, then: [{ad_tag: x}]}", "did you mean 'add_tag'?"),
        ("{if: lead.score > 1, then: {add_tag: x}}", "list"),
        ("{for_each: {in: lead.name, do: [{add_tag: x}]}}", "'lead.name' is no list"),
        ("{for_each: {in: lead.tags, as: lead, do: [{add_tag: x}]}}", "has a meaning already"),
        ("{for_each: {in: lead.tags, as: t, do: [{add_tag: '{{ tag }}'}]}}", "there is no 'tag'"),
        ("{start_rule: nobody}", "there is no rule 'nobody'"),
        ("{send_webhook: {url: 'ftp://x/y'}}", "is no http or https address"),
        ("{send_webhook: {url: 'https://x.test/y', body: {a: '{{ lead.nme }}'}}}", "did you mean 'name'?"),
        ("{comment: '{{ lead.__class__ }}'}", "is no field"),
        ("{comment: '{{ lead.name | truncate(1, 2, 3) }}'}", "does not take these options"),
        ("{comment: '{{ lead.name | truncate(\"x\") }}'}", "does not take these options"),
        (
            "{notify: {webhook: 'https://api.telegram.org/bot1/sendMessage', text: x}}",
            "needs the id of a 'chat'",
        ),
        ("{score: a lot}", "score.add"),
        ("{stop: [1]}", "stop.reason"),
        ("jump", "there is no step 'jump'"),
    ],
)
def test_what_is_wrong_is_refused_when_it_is_published(session: Session, step: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        configure_in(session, rules=rule(step))
    assert words in str(refused.value)
    assert "workspace.yaml:" in str(refused.value)


def test_steps_go_no_deeper_than_can_be_meant(session: Session) -> None:
    step = "{add_tag: x}"
    for _ in range(12):
        step = f"{{if: lead.score > 1, then: [{step}]}}"
    with pytest.raises(Invalid, match="no deeper than"):
        configure_in(session, rules=rule(step))


SMS = """
sms:
  url: https://sms.example.com/v1
  headers: {Authorization: "Bearer secret-token"}
  body: {to: "{{ sms.to }}", content: {text: "{{ sms.text }}"}, reference: "{{ sms.id }}"}
"""


def test_a_text_message_is_sent_as_the_provider_wants_it(session: Session) -> None:
    text = '{send_sms: "Olá {{ lead.name }}, {{ lead.message }}"}'
    configure_in(session, WORKSPACE + SMS, rules=rule(text))
    enquire(session, phones=("11987654321",), message="{{ lead.email }}")
    row = session.get(WorkspaceRow, 1)
    assert row is not None
    assert "secret-token" not in str(row.sms)
    job = runs.claim(session, session.scalars(select(StepRow.id)).one())
    assert job is not None
    assert isinstance(job.order, WebhookOrder)
    assert job.order.headers == {"Authorization": "Bearer secret-token"}
    assert job.order.payload["to"] == "+5511987654321"
    assert job.order.payload["content"] == {"text": "Olá Maria Souza, {{ lead.email }}"}
    assert len(job.order.payload["reference"]) == 32


def test_a_lead_without_a_number_gets_no_text_message(session: Session) -> None:
    configure_in(session, WORKSPACE + SMS, rules=rule("{send_sms: hello}"))
    enquire(session)
    assert runs.claim(session, session.scalars(select(StepRow.id)).one()) is None
    assert "no telephone number of 'lead'" in (session.scalars(select(StepRow.result)).one() or "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WORKSPACE + "rules:\n" + rule("{send_sms: hello}"), "the workspace has no 'sms' provider"),
        (WORKSPACE + SMS.replace("sms.to", "lead.phone"), "there is no 'lead'"),
        (WORKSPACE + SMS.replace("https://sms", "ftp://sms"), "is no http or https address"),
        (WORKSPACE + SMS.replace("Bearer secret-token", "a\\nb"), "not on one line"),
    ],
)
def test_a_provider_that_makes_no_sense_is_refused(session: Session, text: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        configure_in(session, text)
    assert words in str(refused.value)
    assert "secret-token" not in str(refused.value)


@pytest.mark.parametrize(
    ("step", "told", "state"),
    [
        (
            "notify: {to: owner, via: console, text: 'New: {{ lead.name }}'}",
            ["ana@acme.test"],
            StepState.DONE,
        ),
        ("notify: {to: team.lead, via: console, text: x}", ["clara@acme.test"], StepState.DONE),
        ("notify: {to: BRUNO@acme.test, via: both, text: x}", ["bruno@acme.test"], StepState.RUNNING),
        ("notify: {to: owner, text: x}", [], StepState.RUNNING),
    ],
)
def test_somebody_is_told_in_the_console_once(
    session: Session, step: str, told: list[str], state: StepState
) -> None:
    configure_in(session, rules=rule("{assign: {user: ana@acme.test}}", f"{{{step}}}"))
    lead = enquire(session).lead
    row = session.scalars(select(StepRow).where(StepRow.kind == "notify")).one()
    job = runs.claim(session, row.id)
    assert row.state is state
    assert (job is None) is (state is StepState.DONE)
    rows = session.scalars(select(Notification)).all()
    assert [(n.user.email, n.lead_id, n.actor) for n in rows] == [(e, lead.id, "rule:r") for e in told]
    if job is not None:
        runs.failed(session, job, "away", retry=True)
        with clock.frozen(clock.now() + timedelta(minutes=1)):
            runs.claim(session, row.id)
        assert len(session.scalars(select(Notification)).all()) == len(told)


def test_one_who_has_left_is_not_told_and_the_step_says_so(session: Session) -> None:
    configure_in(session, rules=rule("{notify: {to: bruno@acme.test, via: console, text: x}}"))
    enquire(session)
    session.scalars(select(User).where(User.email == "bruno@acme.test")).one().active = False
    row = session.scalars(select(StepRow)).one()
    assert runs.claim(session, row.id) is None
    assert (row.state, row.result) == (StepState.FAILED, "bruno@acme.test is no user any more")


@pytest.mark.parametrize("settings", ["to: lead", "to: gone@acme.test", "webhook: 'https://x.test/'"])
def test_only_people_have_the_console(database: object, settings: str) -> None:
    with pytest.raises(Invalid, match=r"nobody who has the console|no person"):
        configure(rules=rule(f"{{notify: {{{settings}, via: console, text: x}}}}"))


@pytest.mark.parametrize(
    ("step", "second", "merged", "words"),
    [
        ("company", {"company": "PADARIA sol"}, True, "Part of lead 1 now"),
        ("company", {"company": "Another"}, False, "There is no other open lead with the same company"),
        ("company", {"company": " "}, False, "no company to compare"),
        ("fields.order", {"fields": {"order": "A-1"}}, True, "Part of lead 1 now"),
        ("fields.order", {"fields": {"order": 7}}, False, "no other open lead"),
        ("fields.n", {"fields": {"n": 7}}, True, "Part of lead 1 now"),
        ("fields.order", {}, False, "no 'fields.order' to compare"),
        ("name", {"name": "maria souza"}, True, "Part of lead 1 now"),
        ("person", {}, False, "There is no other open lead with the same person"),
        ("{lead: '{{ lead.fields.order }}'}", {"fields": {"order": "1"}}, True, "Part of lead 1 now"),
        ("{lead: '{{ lead.fields.order }}'}", {"fields": {"order": "99"}}, False, "there is no such lead"),
        ("{lead: '{{ lead.fields.order }}'}", {"fields": {"order": "x"}}, False, "no lead's id"),
        ("{lead: '{{ lead.id }}'}", {}, False, "is this lead itself"),
    ],
)
def test_a_lead_becomes_part_of_another(
    session: Session, step: str, second: dict[str, Any], merged: bool, words: str
) -> None:
    rules = f"""
  - {{name: m, on: lead.created, when: lead.id > 1, do: [{{add_tag: seen}}, {{merge_into: {step}}}, {{add_tag: after}}]}}
  - {{name: late, on: lead.created, when: lead.id > 1, do: [add_tag: late]}}
  - {{name: told, on: lead.merged, do: [score: 5]}}
"""
    configure_in(session, rules=rules)
    first = enquire(session, company="Padaria Sol", fields={"order": "A-1", "n": 7}).lead
    given = {"emails": ("rui@client.test",), "name": "Rui", **second}
    other = enquire(session, **given).lead
    session.flush()
    session.expire_all()
    row = session.scalars(select(StepRow).where(StepRow.kind == "merge_into")).one()
    assert words in (row.result or "")
    assert (other.status is LeadStatus.MERGED, other.merged_into_id) == (merged, first.id if merged else None)
    if merged:
        assert row.run.lead_id == first.id
        assert (row.run.state, row.run.ended_why) == (RunState.DONE, words)
        assert (first.score, first.tags) == (5, ["seen"])
        why = session.scalars(select(Trace).where(Trace.lead_id == first.id).order_by(Trace.id)).all()
        late = next(r for t in why for r in t.rules if r["rule"] == "late" and "stopped" in r)
        assert late["stopped"] == "not started: the lead is part of lead 1 now"
    else:
        assert other.tags == ["seen", "after", "late"]


@pytest.mark.parametrize("step", ["nothing", "{same: email, lead: '1'}", "{}", "{lead: '{{ lead.nmae }}'}"])
def test_what_merge_into_cannot_mean_is_refused(database: object, step: str) -> None:
    with pytest.raises(Invalid, match=r"compare|not both|nmae"):
        configure(rules=rule(f"{{merge_into: {step}}}"))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1:5432/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
            "https://localhost/",
        ),
        *(
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://db.localhost/",
        ),
        *(
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[fe80::1%25eth0]/",
        ),
    ],
)
@pytest.mark.parametrize("step", ["send_webhook: {url: '%s'}", "notify: {webhook: '%s', text: hi}"])
def test_an_address_of_our_own_network_is_refused_when_the_rule_is_checked(
    session: Session, step: str, url: str
) -> None:
    with pytest.raises(Invalid, match="private network"):
        configure_in(session, rules=f"  - {{name: r, on: lead.created, do: [{step % url}]}}")


@pytest.mark.parametrize(
    "host", ["example.com", "8.8.8.8", "[2606:4700::1111]", "1.2.3.4.example.com", "0x.com"]
)
def test_an_address_of_the_public_internet_is_taken(session: Session, host: str) -> None:
    configure_in(
        session, rules=f"  - {{name: r, on: lead.created, do: [send_webhook: 'https://{host}/hook']}}"
    )


def test_an_address_with_a_template_in_it_is_refused(session: Session) -> None:
    rules = "  - {name: r, on: lead.created, do: [send_webhook: 'https://{{ lead.fields.host }}/']}"
    with pytest.raises(Invalid, match="cannot name fields"):
        configure_in(session, rules=rules)
