"""Activities over the API: planned on several elements, changed, done, coming again, reminded of, invited to."""

from __future__ import annotations

import email
import email.policy
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import icalendar
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core import clock, db
from models.activity import Activity, ActivityReminder
from models.message import Message, MessageState
from tests.api.conftest import RULES, Ask
from tests.factories import NOON, WORKSPACE, configure
from tests.workspace.test_crm_parts import PARTS
from worker import mailing, reminders
from worker.outbound import account
from worker.outbound.mail import compose

CRM = PARTS.split("\n", 1)[1]
DUE = "2026-11-25T09:00:00-03:00"


@pytest.fixture(autouse=True)
def crm(client: Any) -> Any:
    configure(WORKSPACE + CRM, rules=RULES)
    with clock.frozen(NOON):
        yield


def made(ask: Ask, path: str, **body: Any) -> dict[str, Any]:
    answer = ask("POST", path, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def elements(ask: Ask) -> dict[str, int]:
    lead = made(ask, "/leads", name="Maria", email="maria@client.test")
    company = made(ask, "/companies", name="Sol")
    contact = made(ask, "/contacts", name="Rui", email="rui@sol.test", company_id=company["id"])
    deal = made(ask, "/deals", title="Ovens", contact_id=contact["id"])
    return {
        f"{k}_id": v["id"]
        for k, v in (("lead", lead), ("company", company), ("contact", contact), ("deal", deal))
    }


def test_one_activity_hangs_on_several_elements_and_stands_on_each(ask: Ask) -> None:
    on = elements(ask)
    planned = made(
        ask, "/activities", type="demo", subject="Show the oven", due_at=DUE, duration_minutes=45, place="Rua 1", note="Bring flour",
        reminders=[15, 60], participants=[{"user": "bruno@acme.test"}, {"contact_id": on["contact_id"]}], owner="ana@acme.test", **on,
    )  # fmt: skip
    assert planned["due_at"] == "2026-11-25T12:00:00Z"
    assert {k: planned[k] for k in on} == on
    assert (planned["duration_minutes"], planned["place"], planned["note"], planned["reminders"]) == (
        45,
        "Rua 1",
        "Bring flour",
        [15, 60],
    )
    assert [p["user"] or p["contact_id"] for p in planned["participants"]] == [
        "bruno@acme.test",
        on["contact_id"],
    ]
    for plural, key in (
        ("leads", "lead_id"),
        ("companies", "company_id"),
        ("contacts", "contact_id"),
        ("deals", "deal_id"),
    ):
        path = f"/{plural}/{on[key]}"
        assert planned["id"] in [a["id"] for a in ask("GET", f"{path}/activities").json["items"]]
        assert "Demo planned: Show the oven" in [
            e["summary"] for e in ask("GET", f"{path}/timeline").json["items"]
        ]
    one = f"/activities/{planned['id']}"
    seen = ask("GET", one)
    assert seen.json == planned
    # What was read is what is changed.
    with clock.frozen(NOON + timedelta(minutes=1)):
        changed = ask(
            "PATCH",
            one,
            json={"place": "Rua 2", "due_at": "2026-11-26T12:00:00Z"},
            headers={"If-Match": seen.headers["ETag"]},
        )
    assert changed.status_code == 200, changed.text
    assert (changed.json["place"], changed.json["note"], changed.json["reminders"]) == (
        "Rua 2",
        "Bring flour",
        [15, 60],
    )
    assert (
        ask("PATCH", one, json={"place": "Rua 3"}, headers={"If-Match": seen.headers["ETag"]}).status_code
        == 412
    )
    (entry,) = (
        e
        for e in ask("GET", f"/deals/{on['deal_id']}/timeline").json["items"]
        if e["kind"] == "activity_changed"
    )
    assert (entry["data"]["before"]["place"], entry["data"]["after"]["place"]) == ("Rua 1", "Rua 2")
    wrong = ask("POST", f"{one}/complete", json={"outcome": "bought"})
    assert [e["field"] for e in wrong.json["errors"]] == ["/outcome"]
    done = ask("POST", f"{one}/complete", json={"outcome": "convinced", "result": "They want two"})
    assert (done.json["state"], done.json["outcome"], done.json["result"]) == (
        "done",
        "convinced",
        "They want two",
    )
    assert ask("POST", f"{one}/complete", json={}).status_code == 409
    assert ask("PATCH", one, json={"place": "x"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "dance"}, "/type"), ({"due_at": "2026-11-25T09:00:00"}, "/due_at"), ({"due_at": "9999-01-01T00:00:00Z"}, "/due_at"),
        ({"due_at": 12}, "/due_at"), ({"subject": ""}, "/subject"), ({"subject": "a\u0000b"}, "/subject"), ({"subject": "x" * 501}, "/subject"),
        ({"lead_id": 999}, "/lead_id"), ({"deal_id": 0}, "/deal_id"), ({"owner": "nobody@acme.test"}, "/owner"),
        ({"reminders": [-1]}, "/reminders/0"), ({"reminders": list(range(11))}, "/reminders"), ({"duration_minutes": 0}, "/duration_minutes"),
        ({"participants": [{"email": "no address"}]}, "/participants/0/email"), ({"participants": [{"contact_id": 77}]}, "/participants/0/contact_id"),
        ({"participants": [{"user": "x@y.test"}]}, "/participants/0/user"), ({"participants": [{}]}, "/participants/0"),
        ({"recurrence": "FREQ=SECONDLY"}, "/recurrence"), ({"recurrence": "every day"}, "/recurrence"), ({"state": "done"}, "/state"),
        ({"place": None}, "/place"),
    ],
)  # fmt: skip
def test_what_is_not_acceptable_is_named(ask: Ask, body: dict[str, Any], field: str) -> None:
    answer = ask("POST", "/activities", json={"type": "call", "subject": "Call", "due_at": DUE} | body)
    assert answer.status_code == 422, answer.text
    assert [e["field"] for e in answer.json["errors"]] == [field]
    assert ask("GET", "/activities").json["items"] == []


def test_the_same_key_plans_once_and_a_reader_plans_nothing(ask: Ask) -> None:
    body = {"type": "call", "subject": "Call", "due_at": DUE}
    first, again = (ask("POST", "/activities", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json["id"] == again.json["id"]
    assert (
        ask(
            "POST", "/activities", json=body | {"subject": "Other"}, headers={"Idempotency-Key": "k"}
        ).status_code
        == 422
    )
    assert ask("POST", "/activities", json=body, role="read-only").status_code == 403


def test_whoever_ends_the_last_one_is_asked_for_a_next_step(ask: Ask) -> None:
    lead = made(ask, "/leads", name="Maria", email="maria@client.test")
    (call,) = ask("GET", f"/leads/{lead['id']}/activities").json["items"]
    done = ask("POST", f"/activities/{call['id']}/complete", json={"outcome": "reached"}).json
    assert (done["next_step_wanted"], done["next_id"]) == (True, None)
    meeting = made(ask, "/activities", type="meeting", subject="Meet", due_at=DUE, lead_id=lead["id"])
    step = {"type": "task", "subject": "Send the offer", "due_at": DUE}
    done = ask("POST", f"/activities/{meeting['id']}/complete", json={"next": step}).json
    assert done["next_step_wanted"] is False
    following = ask("GET", f"/activities/{done['next_id']}").json
    assert (following["subject"], following["lead_id"], following["owner"]) == (
        "Send the offer",
        lead["id"],
        meeting["owner"],
    )
    # Of a lead that is closed nobody is asked.
    assert (
        ask("PATCH", f"/leads/{lead['id']}", json={"status": "junk", "reason": "supplier"}).status_code == 200
    )
    assert ask("POST", f"/activities/{done['next_id']}/cancel", json={}).json["next_step_wanted"] is False


def test_ending_one_that_comes_again_plans_the_next_once(ask: Ask) -> None:
    lead = made(ask, "/leads", name="Maria", email="maria@client.test")
    first = made(
        ask, "/activities", type="call", subject="Weekly", due_at=DUE, lead_id=lead["id"], recurrence="RRULE:FREQ=WEEKLY;COUNT=3", reminders=[10],
        participants=[{"user": "bruno@acme.test"}],
    )  # fmt: skip
    assert first["recurrence"] == "FREQ=WEEKLY;COUNT=3"
    # Moving one does not move the series.
    ask("PATCH", f"/activities/{first['id']}", json={"due_at": "2026-11-27T20:00:00Z"})
    ask("POST", f"/activities/{first['id']}/complete", json={})
    series = f"/activities?series={first['id']}&state=planned"
    (second,) = ask("GET", series).json["items"]
    assert (second["due_at"], second["reminders"], len(second["participants"])) == (
        "2026-12-02T12:00:00Z",
        [10],
        1,
    )
    ask("POST", f"/activities/{second['id']}/cancel", json={})
    (third,) = ask("GET", series).json["items"]
    assert third["due_at"] == "2026-12-09T12:00:00Z"
    ask("POST", f"/activities/{third['id']}/complete", json={})
    assert ask("GET", series).json["items"] == []
    again = made(ask, "/activities", type="call", subject="Daily", due_at=DUE, recurrence="FREQ=DAILY")
    ask("POST", f"/activities/{again['id']}/cancel", json={"whole_series": True})
    assert ask("GET", f"/activities?series={again['id']}&state=planned").json["items"] == []


def mails(kind: str) -> list[Message]:
    with db.reading() as session:
        chosen = select(Message).where(Message.effect_key.like(f"{kind}:%")).order_by(Message.id)
        return list(session.scalars(chosen))


def test_each_reminder_is_told_once_however_often_the_scheduler_looks(ask: Ask) -> None:
    planned = made(
        ask, "/activities", type="call", subject="Call", due_at="2026-11-23T16:00:00Z", owner="ana@acme.test", reminders=[0, 30, 120],
        participants=[{"user": "bruno@acme.test"}, {"user": "ana@acme.test"}],
    )  # fmt: skip
    one = f"/activities/{planned['id']}"
    assert reminders.tell() == 0  # the one of two hours before was over when it was planned
    with clock.frozen(NOON + timedelta(minutes=31)):
        assert [reminders.tell(), reminders.tell()] == [1, 0]
        assert sorted(m.to_address for m in mails("reminder")) == ["ana@acme.test", "bruno@acme.test"]
        assert {m.subject for m in mails("reminder")} == {"Monday, 23 November, 13:00: Call"}
        # Moved, it is reminded of anew.
        ask("PATCH", one, json={"due_at": "2026-11-23T17:00:00Z"})
        assert reminders.tell() == 0
    with clock.frozen(NOON + timedelta(hours=5)):
        assert [reminders.tell(), reminders.tell()] == [2, 0]
        assert len(mails("reminder")) == 6
    other = made(ask, "/activities", type="call", subject="Off", due_at="2026-11-23T16:00:00Z", reminders=[0])
    ask("POST", f"/activities/{other['id']}/cancel", json={})
    with clock.frozen(NOON + timedelta(hours=5)):
        assert reminders.tell() == 0
        with db.reading() as session:
            assert session.scalar(select(func.count()).where(ActivityReminder.at.is_not(None))) == 0


def sent(message: Message, answers: str | None = None) -> tuple[email.message.Message, icalendar.Event, str]:
    with db.reading() as session:
        order = mailing.order_of(session, session.get_one(Message, message.id))
    raw = compose(order, account.Account("sales@acme.test", None, answers), sender_name="Acme")
    whole = email.message_from_bytes(raw.as_bytes(), policy=email.policy.default)
    (part,) = (p for p in whole.walk() if p.get_content_type() == "text/calendar")
    calendar = icalendar.Calendar.from_ical(part.get_content())
    return whole, calendar.walk("VEVENT")[0], str(part.get_param("method"))


def test_who_takes_part_is_invited_told_of_changes_and_of_the_end(ask: Ask) -> None:
    on = elements(ask)
    planned = made(
        ask, "/activities", type="meeting", subject="Meet them, soon", due_at=DUE, duration_minutes=30, owner="ana@acme.test", invite=True,
        deal_id=on["deal_id"], participants=[{"contact_id": on["contact_id"]}, {"user": "bruno@acme.test"}, {"email": "x@y.test", "name": "X, \"Y\""}],
    )  # fmt: skip
    one = f"/activities/{planned['id']}"
    assert [m.to_address for m in mails("invitation")] == ["rui@sol.test", "bruno@acme.test", "x@y.test"]
    assert {m.state for m in mails("invitation")} == {MessageState.QUEUED}
    ask(
        "PATCH",
        one,
        json={
            "duration_minutes": 60,
            "participants": [{"contact_id": on["contact_id"]}, {"user": "bruno@acme.test"}],
        },
    )
    ask("PATCH", one, json={"reminders": [5]})  # nobody else's business
    told = [(m.to_address, m.subject.partition(":")[0]) for m in mails("invitation")[3:]]
    assert told == [("rui@sol.test", "Changed"), ("bruno@acme.test", "Changed"), ("x@y.test", "Cancelled")]
    ask("POST", f"{one}/cancel", json={})
    assert [m.subject.partition(":")[0] for m in mails("invitation")[6:]] == ["Cancelled", "Cancelled"]
    first, second, last = (sent(mails("invitation")[n]) for n in (0, 3, 6))
    assert [s[2] for s in (first, second, last)] == ["REQUEST", "REQUEST", "CANCEL"]
    assert len({str(s[1]["UID"]) for s in (first, second, last)}) == 1
    assert [s[1]["SEQUENCE"] for s in (first, second, last)] == [0, 1, 2]
    event = second[1]
    assert (event.decoded("dtend") - event.decoded("dtstart"), str(event["ORGANIZER"])) == (
        timedelta(hours=1),
        "mailto:ana@acme.test",
    )
    assert event.decoded("dtstart").isoformat() == "2026-11-25T09:00:00-03:00"
    assert last[1]["STATUS"] == "CANCELLED"
    # Where a mailbox of ours sends it, the answers come there.
    _, event, method = sent(mails("invitation")[0], answers="sales@acme.test")
    assert (str(event["ORGANIZER"]), event["ORGANIZER"].params["CN"], method) == (
        "mailto:sales@acme.test",
        "Ana",
        "REQUEST",
    )
    assert [str(a) for a in event["ATTENDEE"]][:2] == ["mailto:rui@sol.test", "mailto:bruno@acme.test"]


def test_a_calendar_is_read_at_its_secret_address_until_it_is_revoked(ask: Ask, client: FlaskClient) -> None:
    lead = made(ask, "/leads", name="Maria", email="maria@client.test")
    made(
        ask,
        "/activities",
        type="call",
        subject="Weekly; call",
        due_at=DUE,
        lead_id=lead["id"],
        owner="ana@acme.test",
        recurrence="FREQ=WEEKLY;COUNT=4",
        reminders=[15],
    )
    made(
        ask,
        "/activities",
        type="meeting",
        subject="With Bruno",
        due_at=DUE,
        owner="ana@acme.test",
        participants=[{"user": "bruno@acme.test"}],
    )
    made(
        ask,
        "/activities",
        type="task",
        subject="Bruno's own",
        due_at=DUE,
        owner="bruno@acme.test",
        note="a\nb\u2028c",
    )
    opened = made(ask, "/calendar-feeds", user="bruno@acme.test")
    path = opened["address"].removeprefix("http://127.0.0.1:8000")
    assert opened["address"] not in ask("GET", "/calendar-feeds").text
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    events = icalendar.Calendar.from_ical(answer.text).walk("VEVENT")
    assert sorted(str(e["SUMMARY"]) for e in events) == ["Bruno's own", "With Bruno"]
    assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    mine = icalendar.Calendar.from_ical(
        client.get(made(ask, "/calendar-feeds", user="ana@acme.test")["address"].partition("8000")[2]).text
    )
    (weekly,) = (e for e in mine.walk("VEVENT") if "RRULE" in e)
    assert weekly["RRULE"].to_ical() == b"FREQ=WEEKLY;COUNT=4"
    assert [a.decoded("trigger") for a in weekly.walk("VALARM")] == [timedelta(minutes=-15)]
    assert mine.walk("VTIMEZONE")
    assert ask("DELETE", f"/calendar-feeds/{opened['id']}").status_code == 204
    for gone in (path, "/calendar/x.ics", f"/calendar/{'y' * 5000}.ics", "/calendar/%00.ics"):
        assert client.get(gone).status_code == 404
    assert ask("POST", "/calendar-feeds", json={"user": "ana@acme.test"}, role="agent").status_code == 403


def test_a_hundred_that_complete_one_at_once_plan_one_next(ask: Ask) -> None:
    planned = made(ask, "/activities", type="call", subject="Weekly", due_at=DUE, recurrence="FREQ=WEEKLY")
    with ThreadPoolExecutor(8) as pool:
        codes = list(
            pool.map(
                lambda _: ask("POST", f"/activities/{planned['id']}/complete", json={}).status_code, range(16)
            )
        )
    assert sorted(codes) == [200] + [409] * 15
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Activity)) == 2
