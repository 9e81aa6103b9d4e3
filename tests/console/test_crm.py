"""Contacts, companies and deals in the console, and completing a lead."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from crm import companies, contacts, duplicate_pairs
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


def test_two_contacts_are_merged_side_by_side_and_parted_again(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        one = contacts.create(session, name="Maria Souza", emails=["m@a.test"], actor="t", position=HOSTILE)
        two = contacts.create(session, name="Mária Souza", emails=["m@b.test"], actor="t", tags=["vip"])
        one_id, two_id = one.id, two.id
    here = f"/contacts/{one_id}/merge"
    assert f"other={two_id}" in ana.get(here).text  # it was found to be like it
    page = ana.get(f"{here}?other={two_id}")
    assert (page.status_code, HOSTILE in page.text) == (200, False)
    fields = dict(re.findall(r'name="(seen|seen_other)" value="([^"]+)"', page.text))
    form = {"csrf_token": token(page), "other": two_id, "choose:name": "other", **fields}
    assert ana.post(here, data=form).status_code == 303
    assert ana.get(f"/contacts/{two_id}").headers["Location"] == f"/contacts/{one_id}"
    shown = ana.get(f"/contacts/{one_id}")
    assert "Mária Souza" in shown.text
    assert "m@b.test" in shown.text
    (undo,) = re.findall(r'action="(/merges/\d+/undo)"', shown.text)
    assert ana.post(undo, data={"csrf_token": token(shown)}).status_code == 303
    assert "Maria Souza" in ana.get(f"/contacts/{one_id}").text
    changed = form | {"seen": "2026-11-23T15:00:01+00:00"}
    assert ana.post(here, data=changed).status_code == 422  # since the page was read
    for other in (one_id, 999, "x", ""):
        assert ana.post(here, data={"csrf_token": token(page), "other": other}).status_code in (404, 422)
    assert ana.get(f"{here}?other=999").status_code == 422


def test_a_lead_and_a_company_have_a_page_to_merge_too(ana: FlaskClient) -> None:
    first, second = lead(), lead(email="other@sol.test")
    for path in (f"/leads/{first}/merge", f"/leads/{first}/merge?other={second}"):
        assert ana.get(path).status_code == 200, path
    page = ana.get(f"/leads/{first}/merge?other={second}")
    form = {"csrf_token": token(page), "other": second, "same_person": "no"}
    assert ana.post(f"/leads/{first}/merge", data=form).status_code == 303
    assert ana.get(f"/leads/{second}").headers["Location"] == f"/leads/{first}"
    assert "/undo" in ana.get(f"/leads/{first}").text
    with db.unit_of_work() as session:
        company = companies.create(session, name="Sol", actor="t").id
    assert ana.get(f"/companies/{company}/merge").status_code == 200


def test_what_may_be_there_twice_is_listed_and_dismissed(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        for name in ("Sol " + HOSTILE, "Sol " + HOSTILE):
            companies.create(session, name=name, actor="t")
        duplicate_pairs.record(session, duplicate_pairs.look(session, "company", most=10))
    page = ana.get("/duplicates")
    assert HOSTILE not in page.text
    assert "/companies/1/merge?other=2" in page.text
    assert ana.post("/duplicates/1/dismiss", data={"csrf_token": token(page)}).status_code == 303
    assert "Nothing is there twice" in ana.get("/duplicates").text
    assert ana.post("/duplicates/9/dismiss", data={"csrf_token": token(page)}).status_code == 404
