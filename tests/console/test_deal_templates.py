"""The card of a deal that comes again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from crm import deals
from models.deal_template import DealTemplate
from models.user import Role, User
from tests.console.conftest import token
from tests.factories import configure

HERE = "workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL}"


@pytest.fixture(autouse=True)
def a_deal(people: dict[str, int]) -> None:
    configure(HERE)
    with db.unit_of_work() as session:
        deals.create(session, title="Rent", actor="t", owner_id=people["ana"])


def card(client: FlaskClient) -> str:
    page = client.get("/deals/1").text
    return page.partition('aria-labelledby="again"')[2].partition("</section>")[0]


def post(client: FlaskClient, path: str, **form: Any) -> Any:
    shown = client.get("/deals/1")
    seen = dict(re.findall(r'name="(seen)" value="([^"]+)"', card(client)))
    return client.post(path, data={"csrf_token": token(shown), **seen, "deal": "1", **form})


def only() -> DealTemplate | None:
    with db.reading() as session:
        return session.scalars(select(DealTemplate)).one_or_none()


def test_a_deal_is_set_to_come_again_changed_paused_and_ended(ana: FlaskClient) -> None:
    assert "Let it come again" in card(ana)
    form = {"rule": "FREQ=MONTHLY;BYMONTHDAY=-1", "at": "2040-01-31T09:00", "until": "2040-12-31"}
    assert post(ana, "/deals/1/again", **form).location.endswith("/deals/1#again")
    row = only()
    assert row is not None
    assert (row.recurrence, row.next_at and row.next_at.isoformat()) == (
        "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20401231", "2040-01-31T12:00:00+00:00",
    )  # fmt: skip
    shown = card(ana)
    assert "Every month on the last day, until 31 December 2040" in shown
    for given in (
        'value="2040-01-31T09:00"',
        'value="2040-12-31"',
        'value="FREQ=MONTHLY;BYMONTHDAY=-1" selected',
    ):
        assert given in shown
    path = f"/deal-templates/{row.id}"
    assert post(ana, f"{path}/change", **form).status_code == 303
    assert (only() or row).starts_at == row.starts_at
    assert post(ana, f"{path}/change", rule="FREQ=YEARLY", at="2040-02-01T10:00", until="").status_code == 303
    assert "Every year" in card(ana)
    assert (
        post(ana, f"{path}/change", rule="FREQ=YEARLY", at="2040-02-01T10:00", seen="old").status_code == 409
    )
    post(ana, f"{path}/pause")
    assert "It rests" in card(ana)
    post(ana, f"{path}/go-on")
    assert "Next deal" in card(ana)
    post(ana, f"{path}/end")
    assert only() is None
    assert "Let it come again" in card(ana)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"rule": "FREQ=SECONDLY"}, "How often: FREQ is one of"),
        ({"rule": ""}, "How often"),
        ({"at": "soon"}, "Say when the next deal is to be made"),
        ({"at": "9999-01-01T00:00"}, "in a year from 2000 to 2100"),
        ({"at": "2001-01-01T00:00"}, "The next time: is in the past"),
        ({"until": "never"}, "Say the last day"),
        ({"until": "2000-01-01"}, "How often: is over before it begins"),
    ],
)
def test_what_cannot_be_is_said(ana: FlaskClient, form: dict[str, str], words: str) -> None:
    told = post(
        ana, "/deals/1/again", **{"rule": "FREQ=MONTHLY", "at": "2040-01-31T09:00", "until": ""} | form
    )
    assert (told.status_code, words in told.text, only()) == (422, True, None)


def test_why_it_has_ended_is_shown_and_a_reader_has_no_forms(
    ana: FlaskClient, people: dict[str, int]
) -> None:
    post(ana, "/deals/1/again", rule="FREQ=MONTHLY", at="2040-01-31T09:00")
    with db.unit_of_work() as session:
        row = session.scalars(select(DealTemplate)).one()
        row.next_at, row.ended_at, row.ended_why = None, row.created_at, "the pipeline is not used <any> more"
        session.get_one(User, people["ana"]).role = Role.READ_ONLY
    shown = card(ana)
    assert "the pipeline is not used &lt;any&gt; more" in shown
    assert "<form" not in shown


def test_a_template_that_is_not_in_sight_is_not_shown_and_not_changed(
    ana: FlaskClient, people: dict[str, int]
) -> None:
    post(ana, "/deals/1/again", rule="FREQ=MONTHLY", at="2040-01-31T09:00")
    configure(HERE.replace("currency", "rights: {agent: {see: own, change: own}}, currency"))
    with db.unit_of_work() as session:
        row = session.scalars(select(DealTemplate)).one()
        row.owner_id = people["bruno"]
        session.get_one(User, people["ana"]).role = Role.AGENT
    assert "not yours to see" in card(ana)
    assert post(ana, f"/deal-templates/{row.id}/end").status_code == 404
    assert only() is not None
