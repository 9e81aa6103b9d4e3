"""The list of leads."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from console import queries
from core import db
from intake import sources
from models import LeadStatus, Source, WorkspaceRow
from tests.console import seed


def shown(client: FlaskClient, **asked: Any) -> list[str]:
    """The names on the list, from the top."""
    page = client.get("/leads", query_string=asked)
    assert page.status_code == 200
    return re.findall(r'class="name"><a href="/leads/\d+">([^<]+)</a>', page.text)


@pytest.fixture
def leads(ana: FlaskClient, people: dict[str, int]) -> dict[str, int]:
    """Five leads, the last one newest; the fourth turned out to be the third one's person."""
    with db.unit_of_work() as session:
        one = seed.lead(
            session, name="One", owner_id=people["ana"], email="one@first.test", company="Firma 100%"
        )
        two = seed.lead(session, name="Two", owner_id=people["bruno"], status=LeadStatus.IN_PROGRESS)
        three = seed.lead(session, name="Three", status=LeadStatus.CONVERTED, phone="+5511987654321")
        four = seed.lead(session, name="Four")
        seed.set_status(session, four, LeadStatus.MERGED, into=three)
        five = seed.lead(session, name="Five", status=LeadStatus.JUNK, message="Please_call me")
        return {made.name: made.id for made in (one, two, three, four, five)}


def test_the_newest_come_first_and_merged_ones_are_hidden(ana: FlaskClient, leads: dict[str, int]) -> None:
    assert shown(ana) == ["Five", "Three", "Two", "One"]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"status": "new"}, ["One"]),
        ({"status": "open"}, ["Two", "One"]),
        ({"status": "junk"}, ["Five"]),
        ({"status": "merged"}, ["Five", "Three", "Two", "One"]),
        ({"owner": "me"}, ["One"]),
        ({"owner": "none"}, ["Five", "Three"]),
        ({"owner": "2"}, ["Two"]),
        ({"owner": "2", "status": "new"}, []),
        ({"owner": "99999999999999999999999"}, ["Five", "Three", "Two", "One"]),
        ({"q": "first.TEST"}, ["One"]),
        ({"q": "100%"}, ["One"]),
        ({"q": "%"}, ["One"]),
        ({"q": "e_c"}, ["Five"]),
        ({"q": "(11) 98765-4321"}, ["Three"]),
        ({"q": "98765-4321 x"}, []),
        ({"q": "  \x00 "}, ["Five", "Three", "Two", "One"]),
        ({"q": "four"}, []),
    ],
)
def test_the_list_is_narrowed(
    ana: FlaskClient, leads: dict[str, int], asked: dict[str, str], names: list[str]
) -> None:
    assert shown(ana, **asked) == names


def test_what_was_asked_for_stays_in_the_form(ana: FlaskClient, leads: dict[str, int]) -> None:
    page = ana.get("/leads?q=t&status=open&owner=me").text
    assert 'value="t"' in page
    assert '<option value="open" selected>' in page
    assert '<option value="me" selected>' in page
    assert '<a href="/leads?q=t&amp;status=open&amp;owner=me" aria-current="page">Mine</a>' in page


def test_the_next_step_is_the_first_that_is_planned_and_says_when_it_is_overdue(
    ana: FlaskClient, leads: dict[str, int]
) -> None:
    with db.unit_of_work() as session:
        one, two = (session.get_one(seed.Lead, leads[name]) for name in ("One", "Two"))
        seed.activity(session, one, due=timedelta(hours=2))
        seed.activity(session, one, due=timedelta(hours=-3), state=seed.ActivityState.DONE)
        seed.activity(session, two, due=timedelta(hours=-1))
        seed.activity(session, two, due=timedelta(days=1))
    page = ana.get("/leads").text
    rows = {m[1]: m[0] for m in re.finditer(r"<tr role=\"row\">.*?/leads/(\d+).*?</tr>", page, re.S)}
    assert "Today 14:00" in rows[str(leads["One"])]
    assert "Overdue" not in rows[str(leads["One"])]
    assert "Today 11:00" in rows[str(leads["Two"])]
    assert "Overdue" in rows[str(leads["Two"])]


def test_pages_go_on_where_the_last_one_ended_even_when_leads_arrive(
    ana: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)
    with db.unit_of_work() as session:
        for n in range(1, 8):
            seed.lead(session, name=f"L{n}")
    assert shown(ana) == ["L7", "L6", "L5"]
    assert "Newer" not in ana.get("/leads").text
    with db.unit_of_work() as session:
        seed.lead(session, name="L8")
    assert shown(ana, before=5) == ["L4", "L3", "L2"]
    assert shown(ana, before=2) == ["L1"]
    assert "Older" not in ana.get("/leads?before=2").text
    assert shown(ana, after=4) == ["L7", "L6", "L5"]
    assert shown(ana, after=5) == ["L8", "L7", "L6"]
    assert "Newer" not in ana.get("/leads?after=5").text
    page = ana.get("/leads?q=L&before=8").text
    assert 'href="/leads?q=L&amp;before=5"' in page
    assert 'href="/leads?q=L&amp;after=7"' in page
    assert shown(ana, before="x", after="-1") == ["L8", "L7", "L6"]


def test_a_page_takes_as_many_queries_for_fifty_leads_as_for_one(
    ana: FlaskClient, database: db.Database, people: dict[str, int]
) -> None:
    counts = []
    for more in (1, 49):
        with db.unit_of_work() as session:
            for n in range(more):
                made = seed.lead(session, owner_id=1 + n % 3, source_id=1 + n % 3)
                seed.activity(session, made, due=timedelta(hours=n))
        asked: list[str] = []

        def count(_: Any, __: Any, statement: str, *___: Any, asked: list[str] = asked) -> None:
            if statement.startswith("SELECT"):
                asked.append(statement)

        event.listen(database.engine, "before_cursor_execute", count)
        assert len(shown(ana)) in (1, 50)
        event.remove(database.engine, "before_cursor_execute", count)
        counts.append(len(asked))
    assert counts[0] == counts[1] == 5


def test_times_are_those_of_the_workspace(ana: FlaskClient, people: dict[str, int]) -> None:
    with db.unit_of_work() as session:
        for ago in (timedelta(hours=13), timedelta(days=40), timedelta(days=400)):
            seed.lead(session, ago=ago)
    page = ana.get("/leads").text
    assert "Yesterday 23:00" in page
    assert "14 Oct, 12:00" in page
    assert "19 Oct 2025, 12:00" in page
    assert 'title="Sunday 22 November 2026, 23:00:00 -03"' in page


def test_an_empty_workspace_says_how_the_first_lead_is_made(ana: FlaskClient) -> None:
    page = ana.get("/leads").text
    command = re.search(r"<code>(curl .*?)</code>", page, re.S)
    assert command
    words = shlex.split(command[1].replace("&#39;", "'").replace("&#34;", '"').replace("\\\n", " "))
    assert words[1] == "http://127.0.0.1:8000/in/forms/contact"
    assert words[-1].startswith('{"name": "Maria Silva"')
    assert '<form class="filters"' not in page


def test_the_example_fits_the_form_it_is_for(ana: FlaskClient) -> None:
    fields = [
        {"name": "who", "target": "name", "required": True},
        {"name": "mail", "type": "email", "required": True},
        {"name": "size", "type": "select", "choices": ["S", "M"], "required": True},
        {"name": "ok", "type": "consent", "required": True},
        {"name": "note"},
    ]
    with db.unit_of_work() as session:
        session.get_one(Source, 1).settings = {"key": "contact", "fields": fields}
        session.get_one(WorkspaceRow, 1).version += 1
    sources.forget()
    page = ana.get("/leads").text.replace("&#34;", '"')
    assert '{"who": "Maria Silva", "mail": "maria@example.com", "size": "S", "ok": true}' in page


def test_without_a_form_it_says_how_to_have_one(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        session.get_one(Source, 1).settings = {"key": "contact", "service": "${NOT_SET}"}
    sources.forget()
    assert "portaria apply" in ana.get("/leads").text


def test_a_search_without_a_result_is_not_an_empty_workspace(ana: FlaskClient, leads: dict[str, int]) -> None:
    page = ana.get("/leads?q=nobody").text
    assert "Nothing was found for “nobody”" in page
    assert "curl" not in page
    assert "No lead is like this" in ana.get("/leads?status=new&owner=2").text


def test_those_who_wait_for_an_answer_are_a_list_of_their_own(
    ana: FlaskClient, people: dict[str, int], database: db.Database
) -> None:
    now = seed.NOW
    times: dict[str, tuple[timedelta | None, LeadStatus, timedelta | None]] = {
        "Never": (None, LeadStatus.NEW, None),
        "Again": (timedelta(hours=2), LeadStatus.IN_PROGRESS, None),
        "Answered": (timedelta(0), LeadStatus.NEW, None),
        "Client again": (timedelta(hours=3), LeadStatus.CONVERTED, timedelta(hours=2)),
        "Client": (timedelta(hours=3), LeadStatus.CONVERTED, timedelta(minutes=30)),
        "Junk": (None, LeadStatus.JUNK, timedelta(hours=2)),
    }
    with database.unit_of_work() as session:
        for name, (answered, status, closed) in times.items():
            made = seed.lead(session, name=name, status=status)
            made.last_inbound_at = now - timedelta(hours=1)
            made.last_outbound_at = now - answered if answered is not None else None
            made.closed_at = now - closed if closed is not None else None
    assert shown(ana, status="unanswered") == ["Client again", "Again", "Never"]
    assert 'value="unanswered" selected' in ana.get("/leads?status=unanswered").text
