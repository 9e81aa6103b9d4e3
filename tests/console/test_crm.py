"""Contacts, companies and deals in the console, and completing a lead."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from models import Deal, Lead, LeadStatus, User
from models.user import Role
from tests.console import seed
from tests.console.conftest import token

HOSTILE = "<script>alert(1)</script>"


def lead(**values: object) -> int:
    with db.unit_of_work() as session:
        return seed.lead(session, **{"name": "Maria", "email": "maria@sol.test", **values}).id


def test_a_lead_is_completed_and_what_came_of_it_is_shown(ana: FlaskClient) -> None:
    lead_id = lead(company=HOSTILE)
    page = ana.get(f"/leads/{lead_id}/complete")
    assert HOSTILE not in page.text
    form = {"csrf_token": token(page), "as": "converted", "contact": "new", "company": "new", "deal": "new"}
    assert ana.post(f"/leads/{lead_id}/complete", data=form).status_code == 303
    with db.reading() as session:
        made = session.get_one(Lead, lead_id)
        deal = session.scalars(select(Deal)).one()
        assert made.status is LeadStatus.CONVERTED
    for path in (
        f"/contacts/{made.contact_id}",
        f"/companies/{made.company_id}",
        f"/deals/{deal.id}",
        "/contacts",
        "/companies",
        "/deals",
    ):
        shown = ana.get(path)
        assert shown.status_code == 200, path
        assert HOSTILE not in shown.text, path
    assert "Converted into" in ana.get(f"/deals/{deal.id}").text
    assert f"/deals/{deal.id}" in ana.get("/deals").text
    assert f"/contacts/{made.contact_id}" in ana.get(f"/leads/{lead_id}").text
    assert ana.get(f"/leads/{lead_id}/complete").status_code == 404
    assert "Maria" in ana.get("/contacts?q=maria").text
    assert "No contact fits" in ana.get("/contacts?q=nobody").text


def test_a_lead_is_junk_and_nothing_chosen_is_told(ana: FlaskClient) -> None:
    lead_id = lead()
    form = {"csrf_token": token(ana.get(f"/leads/{lead_id}/complete")), "as": "converted"}
    refused = ana.post(f"/leads/{lead_id}/complete", data=form)
    assert (refused.status_code, "Choose at least one" in refused.text) == (422, True)
    assert (
        ana.post(f"/leads/{lead_id}/complete", data=form | {"as": "junk", "reason": "spam"}).status_code
        == 303
    )
    with db.reading() as session:
        assert session.get_one(Lead, lead_id).closing_reason == "spam"


def test_whoever_may_only_look_completes_nothing(ana: FlaskClient, people: dict[str, int]) -> None:
    lead_id = lead()
    form = {"csrf_token": token(ana.get(f"/leads/{lead_id}/complete")), "as": "junk"}
    with db.unit_of_work() as session:
        session.get_one(User, people["ana"]).role = Role.READ_ONLY
    assert ana.post(f"/leads/{lead_id}/complete", data=form).status_code == 403


def test_what_is_not_there_is_not_found_and_an_empty_board_says_so(ana: FlaskClient) -> None:
    for path in ("/contacts/9", "/companies/9", "/deals/9", "/leads/9/complete"):
        assert ana.get(path).status_code == 404, path
    assert "no deal yet" in ana.get("/deals").text
