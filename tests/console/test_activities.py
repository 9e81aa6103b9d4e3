"""Planning and ending activities on the pages, and the user's own calendar address."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db
from crm import activities, calendar_feeds, companies
from models.activity import Activity, ActivityState
from models.user import User
from tests import factories
from tests.console.conftest import token

PLAN = {
    "type": "call",
    "due": "2027-03-01T09:30",
    "subject": "Ask <b>again</b>",
    "minutes": "20",
    "place": "Rua 1",
    "recurrence": "FREQ=WEEKLY",
    "reminder": "15",
}


@pytest.mark.parametrize("kind", ["lead", "contact", "company", "deal"])
def test_an_activity_is_planned_and_ended_on_each_element_s_page(ana: FlaskClient, kind: str) -> None:
    with db.unit_of_work() as session:
        if kind == "lead":
            row_id = factories.enquire(session, emails=("zoe@client.test",)).lead.id
        elif kind == "contact":
            row_id = factories.contact(session).id
        elif kind == "deal":
            row_id = factories.deal(session).id
        else:
            row_id = companies.create(session, name="Sol", actor="test").id
    path = {"company": "/companies"}.get(kind, f"/{kind}s") + f"/{row_id}"
    page = ana.get(path)
    assert ana.post(f"{path}/activities", data=PLAN).status_code == 400  # without the page's own token
    form = PLAN | {"csrf_token": token(page)}
    assert ana.post(f"{path}/activities", data=form).status_code == 303
    for wrong in (
        {"type": "dance"},
        {"due": "soon"},
        {"due": "0001-01-01T00:00"},
        {"subject": " "},
        {"recurrence": "FREQ=SECONDLY"},
    ):
        assert ana.post(f"{path}/activities", data=form | wrong).status_code == 422, wrong
    shown = ana.get(path).text
    assert "Ask &lt;b&gt;again&lt;/b&gt;" in shown
    assert "comes again" in shown
    with db.reading() as session:
        row = session.scalars(select(Activity).where(Activity.subject == PLAN["subject"])).one()
        assert (row.due_at.isoformat(), row.minutes, row.place) == ("2027-03-01T12:30:00+00:00", 20, "Rua 1")
        assert [r.minutes for r in row.reminders] == [15]
    end = f"/activities/{row.id}"
    data = {"csrf_token": form["csrf_token"], "outcome": "fine", "result": "All well", "series": "all"}
    answer = ana.post(f"{end}/done", data=data)
    assert answer.status_code == 303
    assert answer.location.startswith(path)
    assert ana.post(f"{end}/done", data=data).status_code == 409
    with db.reading() as session:
        row = session.get_one(Activity, row.id)
        assert (row.state, row.outcome, row.result) == (ActivityState.DONE, "fine", "All well")
    if kind in ("lead", "deal"):
        planned = "next=1" in answer.location
        assert planned is (kind == "deal" or "Nothing is planned" in ana.get(path).text)
        if planned:
            assert "What is the next step?" in ana.get(answer.location).text


def test_a_calendar_address_is_shown_once_and_a_new_one_takes_its_place(ana: FlaskClient) -> None:
    form = {"csrf_token": token(ana.get("/my-calendar")), "do": "open"}
    found = []
    for _ in range(2):
        page = ana.post("/my-calendar", data=form).text
        found.append(re.search(r"/calendar/(cal_[\w-]+)\.ics", page)[1])  # type: ignore[index]
    assert [is_read(t) for t in found] == [False, True]
    assert "cal_" not in ana.get("/my-calendar").text
    ana.post("/my-calendar", data=form | {"do": "revoke"})
    assert not is_read(found[1])


def is_read(address: str) -> bool:
    with db.reading() as session:
        return calendar_feeds.read(session, address) is not None


def test_what_is_to_be_done_is_listed_and_counted_on_every_page(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        me = session.scalars(select(User).where(User.email == "ana@acme.test")).one()
        for number, (subject, days) in enumerate((("Late <i>one</i>", -1), ("Later", 400))):
            owned = factories.deal(session, title=f"Deal {number}", owner_id=me.id)
            activities.plan(
                session,
                owned,
                type="call",
                subject=subject,
                due_at=clock.now() + timedelta(days=days),
                actor="test",
            )
        factories.deal(session, title="Idle <i>deal</i>", owner_id=me.id)
        factories.contact(session, name="Waits", owner_id=me.id, waits_since=clock.now())
    page = ana.get("/to-do").text
    for words in ("Late &lt;i&gt;one&lt;/i&gt;", "Idle &lt;i&gt;deal&lt;/i&gt;", "Waits"):
        assert words in page
    assert "Later" not in page
    wanted = {"overdue": 1, "due_today": 0, "unanswered": 1, "without_next_step": 1}
    assert ana.get("/ringing").json["counters"] == wanted | {"unread": 0}
