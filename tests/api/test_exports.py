"""Everything can be taken away, and saved choices of it."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy import insert

from api.auth import create_token
from boot.commands import taking
from core import clock, db
from crm import exporting
from crm.spreadsheet import safe
from models.contact import Contact
from models.user import Role, User
from rules import extract
from tests.api.conftest import Ask
from tests.factories import WORKSPACE, configure, enquire

FORMULA = '=HYPERLINK("http://evil.test","x")'
FIELDS = "  - {key: budget, on: [contact], type: money}\n  - {key: plan, on: [contact, lead], type: text}"
RULED = "  - {name: vip, on: lead.created, when: 'in_segment(\"big\")', do: [add_tag: big]}"


@given(st.text(max_size=30))
def test_no_cell_of_ours_is_a_formula(text: str) -> None:
    made = safe(text)
    assert made in (text, f"'{text}")
    if made == text and text:
        shown = text.lstrip(" \xa0\u200b\ufeff")
        assert not shown or shown[0] not in "=+-@|%" or text[1:].isdigit()
    for starter in "=+-@\t\r":
        assert safe(f"{starter}cmd{text}").startswith("'")


def test_each_kind_is_exported_in_each_form(ask: Ask, database: db.Database) -> None:
    configure(WORKSPACE, fields=FIELDS)
    with database.unit_of_work() as session:
        enquire(session, name=FORMULA, message='a\nb;c,"d"')
    body = {
        "name": FORMULA,
        "emails": ["a@x.test"],
        "tags": ["x", "y"],
        "fields": {"budget": "12.50", "plan": "@a"},
    }
    assert ask("POST", "/contacts", json=body).status_code == 201
    for kind in exporting.TABLES:
        told = ask("GET", f"/exports/{kind}?format=csv")
        assert told.status_code == 200, kind
        assert told.headers["Content-Disposition"] == f'attachment; filename="{kind}.csv"'
        assert all(line for line in csv.reader(io.StringIO(told.get_data(as_text=True))))
    (line,) = csv.DictReader(
        io.StringIO(ask("GET", "/exports/contacts").get_data(as_text=True).lstrip("\ufeff"))
    )
    assert (line["name"], line["email"], line["tags"]) == ("'" + FORMULA, "a@x.test", "x, y")
    assert (line["fields.budget"], line["fields.plan"], line["owner"]) == ("12.50 BRL", "'@a", "")
    (one,) = json.loads(ask("GET", "/exports/contacts?format=json").data)
    assert (one["name"], one["tags"], one["fields.plan"]) == (FORMULA, ["x", "y"], "@a")
    book = load_workbook(io.BytesIO(ask("GET", "/exports/leads?format=xlsx").data))
    head, first = book.active.iter_rows()
    cells = dict(zip([c.value for c in head], first, strict=True))
    assert (cells["name"].value, cells["name"].data_type) == ("'" + FORMULA, "s")
    assert cells["source"].value == "contact"
    assert ask("GET", "/exports/deals?format=json").json == []
    for wrong, status in (("nothing", 422), ("contacts?format=exe", 422), ("contacts?segment=no", 404)):
        assert ask("GET", f"/exports/{wrong}").status_code == status, wrong


def test_an_export_shows_what_is_in_sight_only(ask: Ask, database: db.Database) -> None:
    configure(WORKSPACE.replace("country: BR,", "country: BR, rights: {agent: {see: own}},"))
    with database.unit_of_work() as session:
        ana, bruno = session.query(User).order_by(User.id).limit(2)
        token = create_token(session, "a", Role.AGENT, user=ana)
        for owner in (ana, bruno):
            session.add(
                Contact(
                    name=owner.name,
                    owner_id=owner.id,
                    created_at=clock.now(),
                    updated_at=clock.now(),
                    tags=[],
                    fields={},
                )
            )
    told = ask("GET", "/exports/contacts?format=json", headers={"Authorization": f"Bearer {token}"})
    assert [one["name"] for one in json.loads(told.data)] == ["Ana"]


def test_a_large_export_stays_small_in_memory(database: db.Database) -> None:
    configure()
    now = clock.now()
    rows = [
        {"name": f"Contact {n}", "created_at": now, "updated_at": now, "tags": [], "fields": {"x": "y" * 500}}
        for n in range(6000)
    ]
    with database.unit_of_work() as session:
        session.execute(insert(Contact), rows)
    del rows
    with db.reading() as session:
        names = extract.opened(session, "contacts", None)
    tracemalloc.start()
    made = sum(
        len(text)
        for text in exporting.as_csv(
            names, extract.rows(db.reading, "contacts", names, segment=None, sight=None)
        )
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made > 3_000_000
    assert peak < 12_000_000  # 6,000 at once take more than three times as much


def test_segments_are_saved_listed_exported_and_asked_by_rules(
    ask: Ask, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(WORKSPACE, rules=RULED)
    big = {"kind": "lead", "condition": "lead.fields.employees >= 200", "name": "Large firms"}
    assert ask("PUT", "/segments/big", json=big).json["living"] is True
    with database.unit_of_work() as session:
        ids = [
            enquire(session, emails=(f"{n}@x.test",), fields={"employees": n}).lead.id for n in (10, 200, 300)
        ]
    assert [ask("GET", f"/leads/{n}").json["tags"] for n in ids] == [[], ["big"], ["big"]]
    assert [m["id"] for m in ask("GET", "/segments/big/members").json["items"]] == ids[1:]
    page = ask("GET", "/segments/big/members?limit=2").json
    rest = ask("GET", f"/segments/big/members?limit=2&cursor={page['next_cursor']}").json
    assert [m["id"] for m in page["items"] + rest["items"]] == ids[1:]
    told = json.loads(ask("GET", "/exports/leads?format=json&segment=big").data)
    assert [one["id"] for one in told] == ids[1:]
    assert ask("GET", "/exports/deals?segment=big").status_code == 422
    assert ask("PUT", "/segments/big", json=big | {"living": False}).json["fixed_at"] is not None
    with database.unit_of_work() as session:
        late = enquire(session, emails=("late@x.test",), fields={"employees": 900}).lead.id
    assert late not in [m["id"] for m in ask("GET", "/segments/big/members").json["items"]]
    assert ask("POST", "/segments/big/refresh").status_code == 200
    assert late in [m["id"] for m in ask("GET", "/segments/big/members").json["items"]]
    for wrong, field in (
        ({"condition": "lead.feilds.x == 1"}, "/condition"), ({"condition": "deal.amount > 1"}, "/condition"),
        ({"condition": 'in_segment("big")'}, "/condition"), ({"condition": "("}, "/condition"), ({"kind": "company"}, "/kind"), ({"x": 1}, "/x"),
    ):  # fmt: skip
        refused = ask("PUT", "/segments/other", json=big | wrong)
        assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, field), wrong
    assert (
        ask("PUT", "/segments/big", json=big | {"kind": "deal", "condition": "deal.amount > 1.0"}).status_code
        == 409
    )
    assert ask("DELETE", "/segments/big").status_code == 204
    assert ask("GET", "/segments/big").status_code == 404
    assert ask("POST", "/segments/big/refresh").status_code == 404


def test_the_commands_save_and_take_away(
    database: db.Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(taking, "begin", lambda: None)
    configure()
    with database.unit_of_work() as session:
        enquire(session)
    run = CliRunner().invoke
    assert run(taking.segments, ["save", "all", "lead", "lead.score >= 0"]).exit_code == 0
    assert "all  leads  living" in run(taking.segments, ["list"]).output
    for form in exporting.FORMATS:
        out = f"{tmp_path}/x.{form}"
        done = run(taking.take, ["leads", "--format", form, "--segment", "all", "-o", out])
        assert done.exit_code == 0, done.exception
    assert "Maria Souza" in (tmp_path / "x.csv").read_text()
    assert run(taking.segments, ["delete", "all"]).exit_code == 0
    assert run(taking.segments, ["delete", "all"]).exit_code == 1
