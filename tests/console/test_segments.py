"""Segments on the pages: written, looked at before they are saved, exported, forgotten."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select

from boot.commands import starting
from console import segment_rules
from core import db
from models.lead import Lead
from models.rule import RulesetVersion, Run
from models.segment import Segment
from models.user import Role, User
from models.workspace import WorkspaceRow
from tests import factories
from tests.console import seed
from tests.console.conftest import token
from tests.console.test_safety import HOSTILE, check

FORM = {
    "key": "large",
    "name": "Large firms",
    "kind": "lead",
    "condition": "lead.score >= 10",
    "living": "yes",
}


def leads(*scores: int, **values: Any) -> None:
    with db.unit_of_work() as session:
        for score in scores:
            seed.lead(session, name=f"Lead of {score}", score=score, **values)


def form(ana: FlaskClient, **values: str) -> dict[str, str]:
    return FORM | {"csrf_token": token(ana.get("/new-segment"))} | values


def rows() -> list[Segment]:
    with db.reading() as session:
        return list(session.scalars(select(Segment).order_by(Segment.id)))


def test_a_segment_is_looked_at_saved_changed_exported_and_deleted(ana: FlaskClient) -> None:
    leads(5, 10, 20)
    assert "There is no segment yet" in ana.get("/segments").text
    told = ana.post("/new-segment", data=form(ana, do="look"))
    assert told.status_code == 200
    check(told.text)
    assert "What would be in it: 2 leads" in told.text
    assert "Lead of 20" in told.text
    assert "Lead of 5" not in told.text
    assert rows() == []
    told = ana.post("/new-segment", data=form(ana, do="save"))
    assert told.location == "/segments/large"
    page = ana.get("/segments/large").text
    check(page)
    assert "2 leads" in page
    assert "Large firms" in ana.get("/segments").text
    taken = ana.get("/exports/leads?format=csv&segment=large").data.decode("utf-8-sig")
    assert {r["name"] for r in csv.DictReader(io.StringIO(taken))} == {"Lead of 10", "Lead of 20"}
    ana.post("/segments/large", data=form(ana, condition="lead.score > 10", do="save"))
    leads(30)
    assert "2 leads" in ana.get("/segments/large").text
    assert ana.post("/segments/large/refresh", data=form(ana)).status_code == 409
    assert ana.post("/segments/large/delete", data=form(ana)).location == "/segments"
    assert ana.get("/segments/large").status_code == 404
    assert ana.post("/segments/large", data=form(ana)).status_code == 404
    assert ana.get("/exports/leads?segment=large").status_code == 404


def test_a_static_one_keeps_its_members_until_it_looks_anew(ana: FlaskClient) -> None:
    leads(10)
    ana.post("/new-segment", data=form(ana, living="no"))
    leads(20)
    page = ana.get("/segments/large").text
    assert "1 lead<" in page.replace("\n", "")
    assert "static" in page
    assert ana.post("/segments/large/refresh", data=form(ana)).status_code == 303
    assert "2 leads" in ana.get("/segments/large").text


@pytest.mark.parametrize("kind", ["contact", "deal"])
def test_contacts_and_deals_have_segments_too(ana: FlaskClient, kind: str) -> None:
    with db.unit_of_work() as session:
        factories.contact(session, name="Zoe")
        factories.deal(session, title="Zoe")
    condition = "contact.name == 'Zoe'" if kind == "contact" else "deal.title == 'Zoe'"
    told = ana.post("/new-segment", data=form(ana, kind=kind, condition=condition))
    page = ana.get(told.location).text
    assert f"1 {kind}" in page
    assert f'href="/{kind}s/1"' in page


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"condition": "lead.scor >= 10"}, "did you mean &#39;score&#39;"),
        ({"condition": "lead.scor >= 10"}, '<strong class="here">'),
        ({"condition": "lead.score >="}, "at character"),
        ({"condition": ""}, "at character"),
        ({"condition": "deal.title == 'x'"}, "at character 1"),
        ({"condition": "in_segment('other')"}, "cannot ask for another segment"),
        ({"condition": "lead.score > 1 && " * 700 + "true"}, "longer than 10000"),
        ({"key": "Large Firms"}, "has other than a-z"),
        ({"key": ""}, "has other than a-z"),
        ({"kind": "company"}, "is none of lead, contact, deal"),
        ({"name": "x" * 201}, "up to 200 characters"),
        ({"name": "a\x07"}, "up to 200 characters"),
    ],
)
def test_a_mistake_is_shown_at_its_place_and_what_was_written_stays(
    ana: FlaskClient, values: dict[str, str], words: str
) -> None:
    told = ana.post("/new-segment", data=form(ana, **values))
    assert told.status_code == 422
    check(told.text)
    assert words in told.text
    assert rows() == []


def test_a_key_names_one_segment_of_one_kind(ana: FlaskClient) -> None:
    ana.post("/new-segment", data=form(ana))
    told = ana.post("/new-segment", data=form(ana, condition="true"))
    assert (told.status_code, "names a segment already" in told.text) == (422, True)
    told = ana.post("/segments/large", data=form(ana, kind="deal", condition="true"))
    assert (told.status_code, "is of leads" in told.text) == (422, True)
    assert [row.condition for row in rows()] == ["lead.score >= 10"]


def test_only_what_is_seen_is_counted_listed_and_exported(ana: FlaskClient, people: dict[str, int]) -> None:
    leads(10, owner_id=people["bruno"])
    leads(20, owner_id=people["ana"])
    for living in ("yes", "no"):
        ana.post("/new-segment", data=form(ana, key=f"s{living}", living=living))
    with db.unit_of_work() as session:
        row = session.get_one(WorkspaceRow, 1)
        row.settings = {**row.settings, "rights": {"agent": {"see": "own"}}}
    for living in ("yes", "no"):
        page = ana.get(f"/segments/s{living}").text
        assert "Lead of 20" in page
        assert "Lead of 10" not in page
        assert "1 lead" in page
        assert b"Lead of 10" not in ana.get(f"/exports/leads?format=csv&segment=s{living}").data


def test_rules_that_ask_for_it_are_named(ana: FlaskClient) -> None:
    ana.post("/new-segment", data=form(ana))
    with db.unit_of_work() as session:
        session.add(
            RulesetVersion(
                rules=[
                    {"name": "Answer <b>them</b>", "when": 'in_segment("large") && true'},
                    {"name": "Others", "when": 'in_segment("larger")'},
                ],
                content_hash="1" * 64, published_at=seed.NOW, published_by="test",
            )
        )  # fmt: skip
    page = ana.get("/segments/large").text
    assert "Answer &lt;b&gt;them&lt;/b&gt;" in page
    assert "Others" not in page


def test_who_may_only_look_sees_it_without_forms(ana: FlaskClient, people: dict[str, int]) -> None:
    ana.post("/new-segment", data=form(ana))
    with db.unit_of_work() as session:
        session.get_one(User, people["ana"]).role = Role.READ_ONLY
    page = ana.get("/segments/large").text
    assert "lead.score &gt;= 10" in page
    assert 'name="condition"' not in page
    assert "New segment" not in ana.get("/segments").text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(ana: FlaskClient, text: str) -> None:
    leads(1, company=text)
    values = form(ana)
    for name in ("key", "name", "kind", "condition"):
        told = ana.post("/new-segment", data=values | {name: text})
        check(told.text)
    ana.post("/new-segment", data=values | {"condition": "true"})
    with db.unit_of_work() as session:
        row = session.scalars(select(Segment)).one()
        row.name = text
    for path in ("/segments", "/segments/large"):
        check(ana.get(path).text)


RULES = """
  - {name: Greet, on: manual, when: 'lead.score >= 20', do: [add_tag: greeted]}
  - {name: Other, on: lead.created, do: [add_tag: other]}
"""


def greeted() -> list[str]:
    with db.reading() as session:
        return sorted(x.name for x in session.scalars(select(Lead)) if "greeted" in x.tags)


def test_a_rule_is_started_on_everything_in_a_segment_once(ana: FlaskClient, people: dict[str, int]) -> None:
    factories.configure(factories.WORKSPACE, rules=RULES)
    leads(5, 10, 20, 30)
    ana.post("/new-segment", data=form(ana, do="save"))
    agent = ana.get("/segments/large")
    assert "Start a rule" not in agent.text
    data = {"csrf_token": token(agent), "rule": "Greet", "once": "0" * 36}
    assert ana.post("/segments/large/start", data=data).status_code == 403
    with db.unit_of_work() as session:
        session.get_one(User, people["ana"]).role = Role.MANAGER
    page = ana.get("/segments/large")
    check(page.text)
    assert "<option>Greet</option>" in page.text
    assert "<option>Other</option>" not in page.text
    assert ana.post("/segments/large/start", data=data).status_code == 303
    assert greeted() == ["Lead of 20", "Lead of 30"]
    shown = ana.get("/segments/large").text
    assert "2 of 3: Greet was started." in shown
    assert "1: its condition is not true of this lead." in shown
    assert "was started" not in ana.get("/segments/large").text
    ana.post("/segments/large/start", data=data)
    with db.reading() as session:
        assert len(session.scalars(select(Run)).all()) == 2
    for wrong, status in (({"rule": "Other"}, 409), ({"rule": "x"}, 409), ({"once": "x"}, 422)):
        assert ana.post("/segments/large/start", data=data | wrong).status_code == status, wrong


def test_a_segment_that_is_large_is_left_to_the_command_line(
    ana: FlaskClient, people: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.configure(factories.WORKSPACE, rules=RULES)
    leads(20, 30)
    monkeypatch.setattr(segment_rules, "MOST", 1)
    ana.post("/new-segment", data=form(ana, do="save"))
    with db.unit_of_work() as session:
        session.get_one(User, people["ana"]).role = Role.MANAGER
    data = {"csrf_token": token(ana.get("/segments/large")), "rule": "Greet", "once": "0" * 36}
    told = ana.post("/segments/large/start", data=data)
    assert (told.status_code, "portaria rules run --segment large" in told.text, greeted()) == (409, True, [])
    monkeypatch.setattr(starting, "begin", lambda: None)
    done = CliRunner().invoke(starting.run_rule, ["Greet", "--segment", "large"])
    assert "2 of 2 leads: the rule was started." in done.output
    assert greeted() == ["Lead of 20", "Lead of 30"]
    assert CliRunner().invoke(starting.run_rule, ["Greet", "--segment", "none"]).exit_code != 0
