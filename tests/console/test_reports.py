"""Reports on the pages: filters, picture, table, files; saved ones, their schedules, and who may."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from console import schedules
from core import db
from core.errors import Invalid
from crm.reports import registry
from models.report import SavedReport
from models.source import Source
from models.user import Role, Team, TeamMember, User
from models.workspace import WorkspaceRow
from tests import factories
from tests.console import seed
from tests.console.conftest import SignIn, token
from tests.console.test_safety import HOSTILE, check

DAY = timedelta(days=1)


@pytest.fixture
def clara(app: Flask, sign_in: SignIn) -> FlaskClient:
    """An administrator's browser."""
    browser = app.test_client()
    assert sign_in(browser, email="clara@acme.test").status_code == 303
    return browser


def leads(*sources: int, **values: Any) -> None:
    with db.unit_of_work() as session:
        for source_id in sources:
            seed.lead(session, source_id=source_id, ago=DAY, **values)


def keep(browser: FlaskClient, kind: str = "leads", **values: str) -> str:
    form = {"csrf_token": token(browser.get(f"/reports/{kind}")), "name": "Monday's", **values}
    told = browser.post(f"/reports/{kind}", data=form)
    assert told.status_code == 303, told.text
    return str(told.location)


def test_every_report_has_a_page_that_says_when_there_is_nothing(ana: FlaskClient) -> None:
    shown = ana.get("/reports").text
    check(shown)
    assert "No report was saved yet" in shown
    for kind in registry.KINDS:
        assert f'href="/reports/{kind}"' in shown
        page = ana.get(f"/reports/{kind}")
        assert page.status_code == 200, kind
        check(page.text)
        if kind not in ("funnel", "time-in-stage"):  # whose stages there always are
            assert "Nothing was counted here" in page.text, kind
            assert "<figure" not in page.text
    assert ana.get("/reports/nothing").status_code == 404
    assert ana.get("/reports/leads?format=exe").status_code == 404


def test_a_report_has_its_numbers_as_picture_table_and_files(ana: FlaskClient) -> None:
    leads(1, 1, 2)
    page = ana.get("/reports/leads").text
    check(page)
    assert '<th scope="row">Website contact</th><td>2</td>' in page
    assert '<desc id="chart-desc">Website contact: 2; Sales mailbox: 1</desc>' in page
    assert 'width="100.000%"' in page
    assert 'width="50.000%"' in page
    table = ana.get("/reports/leads?format=csv")
    assert table.headers["Content-Disposition"].startswith('attachment; filename="leads-2026-10-25')
    rows = list(csv.DictReader(io.StringIO(table.data.decode("utf-8-sig"))))
    assert [(r["source"], r["leads"]) for r in rows] == [("Website contact", "2"), ("Sales mailbox", "1")]
    assert ana.get("/reports/leads?format=xlsx").data[:2] == b"PK"
    assert ana.get("/reports/leads?format=pdf").data[:5] == b"%PDF-"


def test_days_stand_beside_each_other_and_stages_make_a_funnel(ana: FlaskClient) -> None:
    leads(1, 2)
    page = ana.get("/reports/leads?by=day&days=7").text
    check(page)
    assert 'class="chart columns"' in page
    assert "<title>2026-11-22: 2</title>" in page
    with db.unit_of_work() as session:
        factories.deal(session)
    page = ana.get("/reports/funnel").text
    check(page)
    assert 'class="chart funnel"' in page
    assert 'id="since"' not in page


def test_filters_narrow_and_stay_chosen(ana: FlaskClient, people: dict[str, int]) -> None:
    leads(1, owner_id=people["bruno"])
    leads(2, owner_id=people["ana"])
    with db.unit_of_work() as session:
        team = Team(key="south", name="South")
        session.add(team)
        session.flush()
        session.add(TeamMember(team_id=team.id, user_id=people["bruno"], position=0))
    for asked in ("owner=bruno@acme.test", "team=south", "source=contact", "channel=form"):
        page = ana.get(f"/reports/leads?{asked}&since=2026-11-01&until=2026-11-30").text
        assert '<th scope="row">Website contact</th>' in page, asked
        assert '<th scope="row">Sales mailbox</th>' not in page, asked
        key = asked.partition("=")[2]
        assert f'<option value="{key}" selected>' in page
    assert "Nothing was counted here" in ana.get("/reports/leads?since=2026-01-01&until=2026-01-31").text


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("since=2026-13-01", "since is no day"),
        ("since=yesterday", "since is no day"),
        ("since=2026-02-30", "since is no day"),
        ("since=2026-05-01&until=2026-04-01", "until is before since"),
        ("days=0", "days is no number"),
        ("days=99999", "days is no number"),
        ("days=²", "days is no number"),
        ("owner=nobody@acme.test", "owner is no user"),
        ("team=none", "team is no team"),
        ("source=none", "source is no source"),
        ("channel=pigeon", "channel is none of"),
        ("by=colour", "by this report is set out by"),
        ("owner=%00", ""),
    ],
)
def test_what_does_not_fit_is_said_and_stays_in_the_form(ana: FlaskClient, asked: str, words: str) -> None:
    page = ana.get(f"/reports/leads?{asked}")
    assert page.status_code == (422 if words else 200)
    assert words in page.text
    check(page.text)
    assert ana.get("/reports/wins?pipeline=none").status_code == 422
    assert (ana.get(f"/reports/leads?format=csv&{asked}").mimetype == "text/csv") is (not words)


def test_what_is_seen_of_others_is_not_counted(ana: FlaskClient, people: dict[str, int]) -> None:
    leads(1, 1, 1, owner_id=people["bruno"])
    leads(1, owner_id=people["ana"])
    with db.unit_of_work() as session:
        settings = {**session.get_one(WorkspaceRow, 1).settings, "rights": {"agent": {"see": "own"}}}
        session.get_one(WorkspaceRow, 1).settings = settings
        session.add(
            SavedReport(
                name="All", kind="leads", filters={}, created_at=seed.NOW, updated_at=seed.NOW, recipients=[]
            )
        )
    for path in ("/reports/leads", "/saved-reports/1"):
        assert '<th scope="row">Website contact</th><td>1</td>' in ana.get(path).text, path
        assert b"Website contact,1," in ana.get(f"{path}?format=csv").data, path


def test_a_report_is_saved_scheduled_and_forgotten(clara: FlaskClient, ana: FlaskClient) -> None:
    leads(1)
    path = keep(clara, days="7", by="channel", owner="")
    with db.reading() as session:
        row = session.scalars(select(SavedReport)).one()
        assert (row.filters, row.user and row.user.email) == ({"days": 7, "by": "channel"}, "clara@acme.test")
        assert row.next_at is None
    page = clara.get(path)
    check(page.text)
    assert "last 7 days" in page.text
    assert "It is not mailed" in page.text
    form = {"csrf_token": token(page), "name": "Weekly", "format": "pdf", "own": ""}
    form |= {"schedule": "week", "time": "07:30", "recipients": "boss@acme.test; ana@acme.test"}
    assert clara.post(path, data=form | {"csrf_token": ""}).status_code == 400
    assert clara.post(path, data=form).status_code == 303
    with db.reading() as session:
        row = session.scalars(select(SavedReport)).one()
        assert (row.name, row.schedule, row.format) == ("Weekly", "30 7 * * mon", "pdf")
        assert row.recipients == ["boss@acme.test", "ana@acme.test"]
        # Monday at 12:00 in São Paulo: the next one is a week on, at 10:30 in UTC.
        assert row.next_at is not None
        assert row.next_at.isoformat() == "2026-11-30T10:30:00+00:00"
    assert "Every Monday, 07:30" in clara.get("/reports").text
    shown = ana.get(path).text
    assert "boss@acme.test" in shown
    assert 'name="recipients"' not in shown
    assert ana.get(f"{path}?format=pdf").data[:5] == b"%PDF-"
    clara.post(path, data=form | {"schedule": "", "recipients": ""})
    with db.reading() as session:
        assert session.scalars(select(SavedReport.next_at)).one() is None
    assert clara.post(f"{path}/delete", data=form).status_code == 303
    assert clara.get(path).status_code == 404
    assert clara.post(path, data=form).status_code == 404


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": " "}, "the name"),
        ({"name": "a\x07b"}, "the name"),
        ({"name": "x" * 201}, "the name"),
        ({"recipients": ""}, "is needed where there is a schedule"),
        ({"recipients": "boss@acme.test, <b>boss</b>"}, "&lt;b&gt;boss&lt;/b&gt; is no e-mail address"),
        ({"recipients": "a@b.test " * 51}, "are more than 50"),
        ({"format": "exe"}, "is none of"),
        ({"schedule": "own", "own": "every <i>day</i>"}, "needs minute, hour"),
        ({"schedule": "own", "own": ""}, "the schedule is empty"),
        ({"schedule": "own", "own": "0 8 * * " + "mon," * 60 + "tue"}, "is longer than 200 characters"),
        ({"schedule": "hourly"}, "none of the choices"),
        ({"time": "25:00"}, "needs a time of day"),
    ],
)
def test_a_schedule_that_does_not_fit_changes_nothing(
    clara: FlaskClient, values: dict[str, str], words: str
) -> None:
    path = keep(clara)
    form = {"csrf_token": token(clara.get(path)), "name": "Other", "format": "csv", "own": ""}
    form |= {"schedule": "day", "time": "08:00", "recipients": "boss@acme.test"}
    told = clara.post(path, data=form | values)
    assert told.status_code == 422
    assert words in told.text
    check(told.text)
    with db.reading() as session:
        row = session.scalars(select(SavedReport)).one()
        assert (row.name, row.schedule, row.recipients) == ("Monday's", None, [])


def test_a_report_that_does_not_fit_is_not_saved(clara: FlaskClient) -> None:
    form = {"csrf_token": token(clara.get("/reports/leads")), "name": "Good"}
    for wrong in ({"name": ""}, {"since": "soon"}, {"owner": "nobody@acme.test"}, {"by": "colour"}):
        told = clara.post("/reports/leads", data=form | wrong)
        assert told.status_code == 422, wrong
        assert "not saved" in told.text
        check(told.text)
    assert clara.post("/reports/nothing", data=form).status_code == 404
    with db.reading() as session:
        assert session.scalars(select(SavedReport)).all() == []


def test_a_saved_report_whose_filters_are_gone_says_so(clara: FlaskClient) -> None:
    path = keep(clara, source="sales")
    with db.unit_of_work() as session:
        session.scalars(select(Source).where(Source.key == "sales")).one().key = "other"
    page = clara.get(path)
    assert page.status_code == 200
    assert "source is no source" in page.text
    assert clara.get(f"{path}?format=csv").status_code == 422


def test_who_sees_a_part_mails_themselves_no_report_on_all(
    clara: FlaskClient, ana: FlaskClient, people: dict[str, int]
) -> None:
    path = keep(clara)
    with db.unit_of_work() as session:
        session.get_one(User, people["ana"]).role = Role.MANAGER
        row = session.get_one(WorkspaceRow, 1)
        row.settings = {**row.settings, "rights": {"manager": {"see": "own"}}}
    form = {"csrf_token": token(ana.get(path)), "name": "Mine", "format": "csv", "schedule": "day"}
    form |= {"time": "08:00", "recipients": "ana@acme.test"}
    assert ana.post(path, data=form).status_code == 403
    assert ana.post(keep(ana), data=form).status_code == 303


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_filters_are_only_text(clara: FlaskClient, text: str) -> None:
    leads(1, attribution={"utm_campaign": text})
    with db.unit_of_work() as session:
        session.get_one(Source, 1).name = text
        session.get_one(User, 1).name = text
        session.add(
            SavedReport(
                name=text, kind="leads", filters={"by": "source"}, error=text,
                created_at=seed.NOW, updated_at=seed.NOW, recipients=[text], schedule=text[:200],
            )
        )  # fmt: skip
    for path in ("/reports", "/reports/leads", "/reports/leads?by=campaign", "/saved-reports/1"):
        page = clara.get(path)
        assert page.status_code == 200
        check(page.text)
    asked = dict.fromkeys(("owner", "team", "source", "channel", "pipeline", "by", "since", "days"), text)
    check(clara.get("/reports/leads", query_string=asked).text)
    form = asked | {"name": text, "csrf_token": token(clara.get("/reports/leads"))}
    check(clara.post("/reports/leads", data=form).text)


@pytest.mark.parametrize(
    "line", ["30 7 * * *", "0 8 * * mon-fri", "5 23 * * mon", "0 0 1 * *", "*/5 * * * sun"]
)
def test_a_schedule_reads_back_as_it_was_chosen(line: str) -> None:
    assert schedules.line(schedules.shown(line)) == line


def test_no_schedule_is_never() -> None:
    assert schedules.line(schedules.shown(None)) is None
    with pytest.raises(Invalid):
        schedules.line(schedules.Schedule("day", "８:00", ""))
