"""Whom a deal is with: found by a name, an address or a number among all that are in sight."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from core import clock, db
from crm import companies, contacts, deals
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.workspace import WorkspaceRow
from tests.console.conftest import token

HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(autouse=True)
def crm(people: dict[str, int]) -> None:
    with db.unit_of_work() as session:
        sol = companies.create(session, name="Padaria Sol", actor="t", domain="sol.test", city="Recife")
        companies.create(session, name="Padaria Lua", actor="t", phone="+551133334444")
        for name, emails, phones in (
            ("Maria Souza", ["m@sol.test", "second@sol.test"], ["+5511987650001"]),
            ("Maria Lima", ["lima@x.test"], []),
            ("Rui Prado", ["rui@x.test"], ["+5511987650003", "+5511987650004"]),
            (f"Eve {HOSTILE}", [], []),
            (f"Eve 100% {HOSTILE}", [], []),
            ("José Á. Conceição", [], []),
        ):
            contacts.create(session, name=name, actor="t", emails=emails, phones=phones, company_id=sol.id)


def post(client: FlaskClient, path: str = "/new-deal", **form: Any) -> Any:
    shown = client.get(path)
    seen = dict(re.findall(r'name="(seen)" value="([^"]+)"', shown.text))
    return client.post(path, data={"csrf_token": token(shown), "title": "Ovens", **seen, **form})


def only() -> Deal:
    with db.reading() as session:
        row = session.get_one(Deal, 1)
        assert row.contacts is not None
        return row


def offered(page: str, name: str = "contact") -> list[str]:
    return re.findall(rf'name="choose-{name}" value="([^"]+)"', page)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("Maria Souza #1", 1),
        ("#3", 3),
        ("3", 3),
        ("  maria   SOUZA ", 1),
        ("M@sol.test", 1),
        ("second@sol.test", 1),
        ("+55 11 98765-0004", 3),
        ("(11) 98765-0001", 1),
        ("98765-0001", 1),
        ("souza", 1),
        ("lima maria", 2),
        ("José Á. Conceição", 6),
        ("Conceição", 6),
        ("100%", 5),
    ],
)
def test_one_that_fits_is_taken(ana: FlaskClient, written: str, number: int) -> None:
    made = post(ana, contact=written)
    assert (made.status_code, only().contact_id) == (303, number), made.text


@pytest.mark.parametrize(
    ("written", "number"),
    [("sol.test", 1), ("padaria lua", 2), ("lua", 2), ("(11) 3333-4444", 2), ("3333-4444", 2), ("#2", 2)],
)
def test_so_is_a_company(ana: FlaskClient, written: str, number: int) -> None:
    made = post(ana, company=written)
    assert (made.status_code, only().company_id) == (303, number), made.text


def test_of_several_one_is_chosen_and_nothing_that_was_filled_in_is_lost(ana: FlaskClient) -> None:
    form = {
        "contact": "maria",
        "company": "Padaria",
        "amount": "77",
        "part": ["Eve", "rui"],
        "role": ["a", "b"],
    }
    several = post(ana, **form)
    assert several.status_code == 422
    assert offered(several.text) == ["Maria Lima #2", "Maria Souza #1"]
    assert offered(several.text, "company") == ["Padaria Lua #2", "Padaria Sol #1"]
    assert len(offered(several.text, "parts-0")) == 2
    assert offered(several.text, "parts-1") == []
    for words in ("may be one of 2: choose which", "m@sol.test · +5511987650001 · Padaria Sol", 'value="77"'):
        assert words in several.text, words
    assert ('name="contact" list="contacts" maxlength="200" value="maria"' in several.text) is True
    asked = {"asked-contact": "maria", "asked-company": "Padaria", "asked-parts-0": "Eve"}
    again = post(ana, **form, **asked, **{"choose-contact": "Maria Souza #1"})
    assert (again.status_code, offered(again.text)) == (422, [])
    assert 'value="Maria Souza #1"' in again.text
    chosen = {"choose-contact": "Maria Souza #1", "choose-company": "Padaria Lua #2", "choose-parts-0": "#4"}
    assert post(ana, **form, **asked, **chosen).status_code == 303
    assert (only().contact_id, only().company_id) == (1, 2)
    assert [(part.contact_id, part.role) for part in only().contacts] == [(4, "a"), (3, "b")]


def test_what_was_written_anew_counts_more_than_what_was_chosen_before(ana: FlaskClient) -> None:
    form = {"contact": "rui", "asked-contact": "maria", "choose-contact": "Maria Souza #1"}
    assert post(ana, **form).status_code == 303
    assert only().contact_id == 3


@pytest.mark.parametrize(
    "written",
    [
        "nobody@x.test",
        "%%",
        "_",
        "#99",
        "#0",
        "9" * 300,
        "+551100000000",
        "(((",
        HOSTILE * 3,
        "' OR 1=1 --",
        "a\\",
        "#",
    ],
)
def test_who_is_not_found_is_said_and_what_was_written_stays(ana: FlaskClient, written: str) -> None:
    answer = post(ana, contact=written)
    assert (answer.status_code, offered(answer.text)) == (422, [])
    assert 'id="contact-wrong"' in answer.text
    assert "a name, an e-mail address or a number is looked for" in answer.text
    assert HOSTILE not in answer.text


def test_hostile_names_and_choices_are_text(ana: FlaskClient) -> None:
    answer = post(ana, contact="eve")
    assert (len(offered(answer.text)), HOSTILE in answer.text) == (2, False)
    for choice in (HOSTILE, "#99", "\0", "1" * 400):
        form = {"contact": "eve", "asked-contact": "eve", "choose-contact": choice}
        wrong = post(ana, **form)
        assert (wrong.status_code, HOSTILE in wrong.text) == (422, False), choice


def test_the_oldest_of_very_many_is_found_and_too_many_are_said_to_be(ana: FlaskClient) -> None:
    now = clock.now()
    with db.unit_of_work() as session:
        rows = [
            {
                "name": f"Client {n}",
                "email": f"c{n}@many.test",
                "created_at": now,
                "updated_at": now,
                "tags": [],
                "fields": {},
            }
            for n in range(2000)
        ]
        session.execute(insert(Contact), rows)
    assert "Maria Souza #1" not in ana.get("/new-deal").text
    many = post(ana, contact="client")
    assert (many.status_code, len(offered(many.text))) == (422, 20)
    assert "may be one of many: choose one of these, or write more of it" in many.text
    assert post(ana, contact="Client 7").status_code == 303
    with db.reading() as session:
        row = session.get_one(Deal, 1)
        assert row.contact is not None
        assert row.contact.name == "Client 7"


@pytest.mark.parametrize(("see", "seen"), [("own", ["mine"]), ("team", ["free", "mine"])])
def test_nobody_is_found_or_offered_who_is_not_in_sight(
    ana: FlaskClient, people: dict[str, int], see: str, seen: list[str]
) -> None:
    with db.unit_of_work() as session:
        row = session.get_one(WorkspaceRow, 1)
        row.settings = {**row.settings, "rights": {"agent": {"see": see, "change": see}}}
        for name, owner in (("mine", people["ana"]), ("free", None), ("theirs", people["bruno"])):
            contacts.create(session, name=f"Zoe {name}", emails=[f"{name}@z.test"], actor="t", owner_id=owner)
            companies.create(session, name=f"Zoe {name}", actor="t", owner_id=owner)
    for field in ("contact", "company"):
        hidden = post(ana, **{field: "Zoe theirs"})
        assert (hidden.status_code, offered(hidden.text, field)) == (422, [])
        answer = post(ana, **{field: "zoe"})
        found = [name.split(" ")[1] for name in sorted(offered(answer.text, field))]
        assert found == (seen if len(seen) > 1 else [])
        assert "theirs" not in answer.text.replace("Zoe theirs", "") or answer.status_code == 303
    for written in ("theirs@z.test", "#9", "9"):
        form = {"contact": "zoe", "asked-contact": "zoe", "choose-contact": written}
        assert post(ana, **form).status_code == 422


def test_whom_somebody_does_not_see_they_do_not_take_away(ana: FlaskClient, people: dict[str, int]) -> None:
    with db.unit_of_work() as session:
        row = session.get_one(WorkspaceRow, 1)
        row.settings = {**row.settings, "rights": {"agent": {"see": "own", "change": "own"}}}
        mine = contacts.create(session, name="Zoe mine", actor="t", owner_id=people["ana"])
        maria, sol = session.get_one(Contact, 1), session.get_one(Company, 1)
        deal = deals.create(
            session, title="Ovens", actor="t", owner_id=people["ana"], contact=maria, company_id=sol.id
        )
        deals.set_contacts(session, deal, [(3, "decides"), (mine.id, "asks")], actor="t")
        deal.updated_at = clock.now()
    page = ana.get("/deals/1/change")
    assert page.text.count("There is one whom you do not see") == 2
    for name in ("Maria Souza", "Padaria Sol", "Rui Prado"):
        assert name not in page.text, name
    assert 'href="/contacts/3"' not in ana.get("/deals/1").text
    form = {"owner": "ana@acme.test", "contact": "", "company": "", "part": ["Zoe mine"], "role": ["pays"]}
    assert post(ana, "/deals/1/change", **form).status_code == 303
    assert (only().contact_id, only().company_id) == (1, 1)
    assert {part.contact_id: part.role for part in only().contacts} == {3: "decides", mine.id: "pays"}
    assert post(ana, "/deals/1/change", **{**form, "part": [], "contact": "Zoe mine"}).status_code == 303
    assert (only().contact_id, [part.contact_id for part in only().contacts]) == (mine.id, [3])
