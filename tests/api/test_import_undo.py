"""What an import makes beside its rows: taken back with it where nobody has use of it, or left on purpose."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from core import clock, db
from models.contact import Contact
from models.contact_point import ContactPoint
from models.duplicate import DuplicatePair
from tests.api.conftest import Ask
from tests.api.test_imported_kinds import bring, worked
from tests.factories import configure, enquire
from worker import duplicates


@pytest.fixture(autouse=True)
def set_up(client: Any) -> None:
    configure()


def back(ask: Ask, job: dict[str, Any]) -> tuple[int, int, int]:
    ask("POST", f"/imports/{job['id']}/undo")
    told = worked(ask, job["id"])
    assert told["state"] == "undone"
    return told["removed"], told["restored"], told["kept"]


def sections(ask: Ask) -> set[str]:
    return {one["path"] for one in ask("GET", "/product-sections").json["items"]}


def numbers() -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(ContactPoint.value)))


def test_a_company_that_only_the_import_made_goes_with_its_contacts(ask: Ask) -> None:
    ask("POST", "/companies", json={"name": "There already"})
    text = (
        "name,email,company\nAna,ana@client.test,Only here\nRui,rui@client.test,Only here\n"
        "Eva,eva@client.test,There already\nIda,ida@client.test,Used since\nLia,lia@client.test,Noted\n"
    )
    job = bring(ask, "contact", text)
    companies = {c["name"]: c["id"] for c in ask("GET", "/companies").json["items"]}
    assert len(companies) == 4
    ask("POST", "/deals", json={"title": "A", "company_id": companies["Used since"]})
    ask("POST", f"/companies/{companies['Noted']}/comments", json={"text": "Nice"})
    ask("POST", f"/imports/{job['id']}/undo")
    assert worked(ask, job["id"])["removed"] == 5
    left = {c["name"] for c in ask("GET", "/companies").json["items"]}
    assert left == {"There already", "Used since", "Noted"}


def test_sections_that_only_the_import_made_go_with_its_products(ask: Ask) -> None:
    ask("POST", "/products", json={"name": "Mixer", "sku": "MX", "section": "Ovens > Old"})
    text = (
        "sku,name,section\nA,A,Ovens > Gas > Small\nB,B,Ovens > Gas > Small\nC,C,Trays\n"
        "D,D,Used since\nE,E,Renamed\nF,F,Around\nG,G,Touched > Within\nMX,Mixer,Machines\n"
    )
    job = bring(ask, "product", text, duplicates="update")
    ids = {one["path"]: one["id"] for one in ask("GET", "/product-sections").json["items"]}
    assert len(ids) == 11
    ask("POST", "/products", json={"name": "Other", "section": "Used since"})
    ask("PATCH", f"/product-sections/{ids['Renamed']}", json={"name": "Named anew"})
    ask("POST", "/product-sections", json={"name": "Own", "parent_id": ids["Around"]})
    ask("PATCH", f"/product-sections/{ids['Touched']}", json={"position": 3})
    assert back(ask, job) == (7, 1, 0)
    assert sections(ask) == {
        "Ovens", "Ovens > Old", "Used since", "Named anew", "Around", "Around > Own", "Touched"
    }  # fmt: skip
    assert ask("GET", "/products?sku=MX").json["items"][0]["section"] == "Ovens > Old"


def test_a_section_stays_with_a_product_that_is_kept_and_goes_once_it_has_left(ask: Ask) -> None:
    job = bring(ask, "product", "sku,name,section\nA,A,Gas\nB,B,Trays\nC,C,Gone\n")
    ids = {one["sku"]: one["id"] for one in ask("GET", "/products").json["items"]}
    ask("PATCH", f"/products/{ids['A']}", json={"name": "Better"})
    ask("PATCH", f"/products/{ids['B']}", json={"section": "Elsewhere"})
    ask("DELETE", f"/products/{ids['C']}")
    assert back(ask, job) == (0, 0, 3)
    assert sections(ask) == {"Gas", "Elsewhere"}


def test_a_section_that_was_deleted_and_made_again_is_somebody_s_own(ask: Ask) -> None:
    job = bring(ask, "product", "sku,name,section\nA,A,Gas\n")
    (made,) = ask("GET", "/product-sections").json["items"]
    ask("DELETE", f"/products/{ask('GET', '/products').json['items'][0]['id']}")
    assert ask("DELETE", f"/product-sections/{made['id']}").status_code == 204
    ask("POST", "/product-sections", json={"name": "Gas"})
    assert back(ask, job) == (0, 0, 1)
    assert sections(ask) == {"Gas"}


def test_a_number_that_a_contact_brought_a_known_person_goes_unless_they_came_by_it_since(ask: Ask) -> None:
    with db.unit_of_work() as session:
        for who in ("ana", "rui", "eva"):
            enquire(session, emails=(f"{who}@client.test",), name=who)
    before = numbers()
    text = (
        "name,email,phone\nAna,ana@client.test,+5511987650001\nRui,rui@client.test,+5511987650002\n"
        "Eva,eva@client.test,+5511987650003\nNew,new@client.test,+5511987650004\n"
    )
    job = bring(ask, "contact", text)
    with db.unit_of_work() as session:
        enquire(session, emails=(), phones=("+5511987650002",), name="Rui")
        chosen = select(ContactPoint).where(ContactPoint.value == "+5511987650003")
        session.scalars(chosen).one().unsubscribed_at = clock.now()
    assert back(ask, job) == (4, 0, 0)
    assert numbers() - before == {"+5511987650002", "+5511987650003"}
    assert before <= numbers()


def test_what_was_thought_to_be_twice_is_forgotten_with_what_is_gone(ask: Ask) -> None:
    text = "name,email,company\nAna Lima,ana@client.test,Sol\nAna Lima,ana.lima@client.test,Sol\n"
    job = bring(ask, "contact", text)
    duplicates.sweep()
    with db.reading() as session:
        assert session.scalars(select(DuplicatePair.kind)).all() == ["contact"]
    assert back(ask, job) == (2, 0, 0)
    with db.reading() as session:
        assert session.scalars(select(DuplicatePair)).all() == []
        assert session.scalars(select(Contact)).all() == []


def test_the_import_s_source_and_the_first_pipeline_stay_and_tags_are_words_only(ask: Ask) -> None:
    ask("POST", "/contacts", json={"name": "Ana", "emails": ["ana@client.test"]})
    job = bring(ask, "deal", "title,email\nOvens,ana@client.test\n", tags="fair")
    assert back(ask, job) == (1, 0, 0)
    assert [one["key"] for one in ask("GET", "/pipelines").json["items"]] == ["sales"]
    assert "import" in {one["key"] for one in ask("GET", "/sources").json["items"]}
    assert ask("GET", "/tags").json["items"] == []
