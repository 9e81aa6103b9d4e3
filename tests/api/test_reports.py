"""Reports over the API: asked for, as files, saved, mailed by a schedule, and what sources cost."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select

from api.auth import create_token
from boot.commands.reporting import report
from core import clock, db, storage
from crm.reports import registry
from models.attachment import Attachment
from models.message import Message
from models.report import SavedReport
from models.user import Role, User
from tests.api.answers import made, wrong
from tests.api.conftest import Ask
from tests.factories import NOON, WORKSPACE, configure
from worker import mailing, reporting


def test_each_report_is_told_as_json_and_as_each_file(ask: Ask) -> None:
    with clock.frozen(NOON):
        lead = made(ask, "/leads", name="=cmd()", email="maria@client.test")
        made(ask, "/deals", title="Ovens", amount=100)
        ask("POST", f"/leads/{lead['id']}/convert", json={"into": ["contact", "deal"]})
        kinds = ask("GET", "/reports").json["items"]
        assert [k["kind"] for k in kinds] == list(registry.KINDS)
        for kind in kinds:
            for by in kind["by"] or [None]:
                query = {"by": by} if by else {}
                shown = ask("GET", f"/reports/{kind['kind']}", query_string=query).json
                assert all(len(row) == len(shown["columns"]) for row in shown["rows"])
            files = {f: ask("GET", f"/reports/{kind['kind']}?format={f}") for f in ("csv", "xlsx", "pdf")}
            assert {a.status_code for a in files.values()} == {200}
            lines = list(csv.reader(io.StringIO(files["csv"].data.decode("utf-8-sig"))))
            sheet = load_workbook(io.BytesIO(files["xlsx"].data)).active
            assert sheet is not None
            assert len(lines) == sheet.max_row == len(ask("GET", f"/reports/{kind['kind']}").json["rows"]) + 1
            assert files["pdf"].data.startswith(b"%PDF-")
            assert "attachment" in files["pdf"].headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"), ("since=2026-13-01", "since"), ("since=1700000000", "since"), ("since=2026-02-02&until=2026-02-01", "until"),
        ("until=9999-12-31", "since"), ("since=1990-01-01", "since"), ("by=colour", "by"), ("owner=nobody@x.test", "owner"), ("owner=x", "owner"),
        ("team=x", "team"), ("source=x", "source"), ("channel=fax", "channel"), ("format=doc", "format"), ("colour=red", "colour"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_named(ask: Ask, query: str, field: str) -> None:
    assert wrong(ask("GET", f"/reports/leads?{query}")) == {field}


def test_reports_that_are_not_there(ask: Ask) -> None:
    assert ask("GET", "/reports/profits").status_code == 404
    assert ask("GET", f"/reports/{'x' * 500}").status_code in (404, 422)
    assert wrong(ask("GET", "/reports/funnel?pipeline=none")) == {"pipeline"}


def test_who_sees_a_part_saves_no_report_on_more(ask: Ask, client: FlaskClient) -> None:
    configure(WORKSPACE.replace("country: BR,", "country: BR, rights: {manager: {see: own}},"))
    with db.unit_of_work() as session:
        clara = session.scalars(select(User).where(User.email == "clara@acme.test")).one()
        bearer = create_token(session, "clara", Role.MANAGER, user=clara)
    headers = {"Authorization": f"Bearer {bearer}"}
    body = {"name": "All", "kind": "leads", "schedule": "0 8 * * mon", "recipients": ["ana@acme.test"]}
    everything = f"/saved-reports/{made(ask, '/saved-reports', **body)['id']}"
    for user in (None, "ana@acme.test"):
        more = client.post("/api/v1/saved-reports", json=body | {"user": user}, headers=headers)
        assert more.status_code == 403, more.text
    mine = client.post("/api/v1/saved-reports", json=body | {"user": "clara@acme.test"}, headers=headers)
    assert mine.status_code == 201, mine.text
    for path in (everything, f"/saved-reports/{mine.json['id']}"):
        assert client.put(f"/api/v1{path}", json=body, headers=headers).status_code == 403
    assert (
        client.put(
            f"/api/v1{everything}", json=body | {"user": "clara@acme.test"}, headers=headers
        ).status_code
        == 403
    )
    assert client.delete(f"/api/v1{everything}", headers=headers).status_code == 403
    assert ask("GET", everything).json["recipients"] == ["ana@acme.test"]


def test_a_saved_report_is_mailed_at_each_of_its_times_once(ask: Ask) -> None:
    body = {
        "name": "Every Monday", "kind": "leads", "filters": {"by": "day", "days": 7}, "schedule": "0 8 * * mon",
        "format": "csv", "recipients": ["boss@acme.test", "x@y.test"],
    }  # fmt: skip
    with clock.frozen(NOON):  # a Monday at noon in São Paulo
        made(ask, "/leads", name="Maria", email="maria@client.test")
        saved = made(ask, "/saved-reports", **body)
        assert saved["next_at"] == "2026-11-30T11:00:00Z"
        path = f"/saved-reports/{saved['id']}"
        seen = ask("GET", path)
        assert reporting.send_due() == 0
    with clock.frozen(NOON + timedelta(days=6, hours=21)):
        assert ask("GET", f"{path}/run").json["rows"][0][:2] == ["2026-11-23", 1]
        assert [reporting.send_due(), reporting.send_due()] == [1, 0]
        with db.reading() as session:
            mails = session.scalars(select(Message).where(Message.effect_key.like("report:%"))).all()
            assert sorted(m.to_address for m in mails) == ["boss@acme.test", "x@y.test"]
            order = mailing.order_of(session, mails[0])
            (file,) = order.files
            assert (file.name, file.kind) == ("leads-2026-11-23-2026-11-29.csv", "text/csv")
            assert storage.get(file.place).decode("utf-8-sig").splitlines()[1].startswith("2026-11-23,1,")
            assert len(session.scalars(select(Attachment)).all()) == 2
        assert ask("GET", path).json["next_at"] == "2026-12-07T11:00:00Z"
        # Of what was missed while nobody was there one is sent.
    with clock.frozen(NOON + timedelta(days=60)):
        assert reporting.send_due() == 1
        changed = ask("PUT", path, json=body | {"schedule": None}, headers={"If-Match": seen.headers["ETag"]})
        assert changed.status_code == 200, changed.text
        assert changed.json["next_at"] is None
        assert ask("PUT", path, json=body, headers={"If-Match": seen.headers["ETag"]}).status_code == 412
        assert ask("DELETE", path).status_code == 204
        assert ask("GET", path).status_code == 404


def test_a_saved_report_that_makes_no_sense_any_more_says_so_and_holds_up_no_other(ask: Ask) -> None:
    with clock.frozen(NOON):
        base = {"name": "R", "kind": "leads", "schedule": "0 8 * * *", "recipients": ["x@y.test"]}
        broken, sound = (made(ask, "/saved-reports", **base) for _ in range(2))
        with db.unit_of_work() as session:
            session.get_one(SavedReport, broken["id"]).filters = {"team": "gone"}
    with clock.frozen(NOON + timedelta(days=1)):
        assert reporting.send_due() == 1
        assert "team is no team" in ask("GET", f"/saved-reports/{broken['id']}").json["error"]
        assert ask("GET", f"/saved-reports/{sound['id']}").json["error"] == ""
        assert ask("GET", f"/saved-reports/{broken['id']}/run").status_code == 422
        assert reporting.send_due() == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "profits"}, "/kind"), ({"format": "doc"}, "/format"), ({"schedule": "every day"}, "/schedule"), ({"recipients": []}, "/recipients"),
        ({"recipients": ["nobody"]}, "/recipients/0"), ({"filters": {"team": "x"}}, "/filters/team"), ({"filters": {"by": "x"}}, "/filters/by"),
        ({"filters": {"x": 1}}, "/filters/x"), ({"filters": {"days": 0}}, "/filters/days"), ({"user": "x@y.test"}, "/user"), ({"name": ""}, "/name"),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_named(ask: Ask, change: dict[str, Any], field: str) -> None:
    body = {
        "name": "R",
        "kind": "leads",
        "schedule": "0 8 * * *",
        "recipients": ["x@y.test"],
        "filters": {"by": "source"},
    }
    assert wrong(ask("POST", "/saved-reports", json=body | change)) == {field}
    assert ask("GET", "/saved-reports").json["items"] == []


def test_what_a_source_costs_is_entered_and_counted_by_its_days(ask: Ask) -> None:
    with clock.frozen(NOON):
        body = {
            "source": "contact",
            "campaign": "fair",
            "since": "2026-11-01",
            "until": "2026-11-10",
            "amount": "100.00",
        }
        cost = made(ask, "/source-costs", **body)
        assert (cost["amount"], cost["currency"]) == ("100.00", "BRL")
        shown = ask("GET", "/reports/returns?since=2026-11-10&until=2026-11-20").json
        assert shown["rows"] == [["contact", "10.00", 0, None, "0.00", "-10.00", "-100.0"]]
        path = f"/source-costs/{cost['id']}"
        assert ask("PUT", path, json=body | {"amount": "5"}).json["amount"] == "5.00"
        assert [c["id"] for c in ask("GET", "/source-costs?source=contact").json["items"]] == [cost["id"]]
        assert ask("GET", "/source-costs?source=other").json["items"] == []
        for change, field in (
            ({"source": "x"}, "/source"), ({"currency": "XXX"}, "/currency"), ({"until": "2026-10-01"}, "/until"), ({"since": "0001-01-01"}, "/since"),
            ({"amount": -1}, "/amount"), ({"amount": "1.00001"}, "/amount"), ({"amount": "1e30"}, "/amount"), ({"since": "x"}, "/since"),
        ):  # fmt: skip
            assert wrong(ask("POST", "/source-costs", json=body | change)) == {field}, change
        assert ask("POST", "/source-costs", json=body, role="read-only").status_code == 403
        assert ask("DELETE", path).status_code == 204
        assert ask("GET", "/reports/returns").json["rows"] == []


def test_the_command_tells_the_same_as_the_api(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("boot.commands.reporting.begin", lambda: None)
    with clock.frozen(NOON):
        made(ask, "/leads", name="Maria", email="maria@client.test")
        command = CliRunner().invoke
        told = json.loads(command(report, ["leads", "--by", "day", "--json"]).output)
        assert told["rows"] == ask("GET", "/reports/leads?by=day").json["rows"]
        assert "2026-11-23" in command(report, ["leads", "--by", "day"]).output
        file = tmp_path / "out.pdf"
        assert command(report, ["wins", "--format", "pdf", "--output", str(file)]).exit_code == 0
        assert file.read_bytes().startswith(b"%PDF-")
        for wrong_, words in (
            (["leads", "--by", "colour"], "--by this report is set out by"), (["leads", "--team", "x"], "--team is no team"), (["wins", "--format", "xlsx"], "--output"),
        ):  # fmt: skip
            failed = command(report, wrong_)
            assert failed.exit_code != 0
            assert words in str(failed.exception)
