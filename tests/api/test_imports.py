"""Imports through the API: taken in, looked at, corrected, brought in, taken back."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from sqlalchemy import select

from core import db
from models.lead import Lead
from tests.api.conftest import Ask
from tests.factories import WORKSPACE, configure
from worker import imports

FILE = "Name,Email,Mobile no.\nAna,ana@client.test,+5511987654321\nBia,bia@client.test,x\nZoe,no,\n"


def send(ask: Ask, text: str | bytes = FILE, **form: Any) -> Any:
    content = text.encode() if isinstance(text, str) else text
    return ask("POST", "/imports", data={"file": (io.BytesIO(content), "leads.csv"), **form})


def work(job_id: int) -> None:
    for _ in range(20):
        if not imports.advance(job_id):
            return


def test_from_the_file_to_the_leads_and_back(ask: Ask) -> None:
    answer = send(ask, source="fair", tags="fair, 2026", mapping=json.dumps({"Mobile no.": "fields.mobile"}))
    assert answer.status_code == 201
    made = answer.json
    assert (made["state"], made["source"], made["kind"], made["delimiter"]) == ("draft", "fair", "csv", ",")
    assert [c["target"] for c in made["columns"]] == ["name", "email", "fields.mobile"]
    path = f"/imports/{made['id']}"
    seen = ask("GET", f"{path}/preview").json
    assert (seen["rows"], seen["created"], seen["known"], seen["failed"]) == (3, 2, 0, 1)
    assert ask("GET", "/leads").json["items"] == []
    corrected = ask("POST", f"{path}/correct", json={"mapping": {"Mobile no.": "phone"}, "duplicates": "add"})
    assert corrected.json["columns"][2]["target"] == "phone"
    assert ask("GET", f"{path}/preview").json["failed"] == 2
    assert ask("POST", f"{path}/start").json["state"] == "waiting"
    assert ask("POST", f"{path}/correct", json={}).status_code == 409
    assert ask("POST", f"{path}/start").status_code == 409
    work(made["id"])
    done = ask("GET", path).json
    assert (done["state"], done["created"], done["failed"], done["position"]) == ("done", 1, 2, 3)
    (lead,) = ask("GET", "/leads?channel=import&source=fair").json["items"]
    assert (lead["email"], lead["phone"], lead["tags"]) == (
        "ana@client.test",
        "+5511987654321",
        ["fair", "2026"],
    )
    assert [r["row"] for r in ask("GET", f"{path}/rows?outcome=failed").json["items"]] == [4, 3]
    errors = ask("GET", f"{path}/errors")
    assert errors.content_type == "text/csv; charset=utf-8"
    assert errors.text.splitlines()[1] == "3,Mobile no.: 'x' is no telephone number,Bia,bia@client.test,x"
    assert ask("POST", f"{path}/undo").json["state"] == "undoing"
    work(made["id"])
    assert ask("GET", path).json["removed"] == 1
    assert ask("GET", "/leads").json["items"] == []
    assert [i["id"] for i in ask("GET", "/imports").json["items"]] == [made["id"]]


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("", {}, "the file is empty"),
        ("a,b\n", {}, "no rows beneath the header"),
        ("x,y\n1,2\n", {}, "no column is a name"),
        (",".join(["name"] * 1000) + "\n1\n", {}, "at most 500"),
        (b"name\n\0", {}, "NUL bytes"),
        (FILE, {"mapping": "["}, "some values are not acceptable"),
        (FILE, {"mapping": '{"No": "name"}'}, "there is no such column"),
        (FILE, {"owner": "nobody"}, "there is no user"),
        (FILE, {"charset": "klingon"}, "there is no charset"),
        (FILE, {"source": "A B"}, "some values are not acceptable"),
        (FILE, {"duplicates": "burn"}, "some values are not acceptable"),
    ],
)
def test_what_cannot_be_brought_in_is_told_at_once(ask: Ask, text: Any, form: Any, words: str) -> None:
    answer = send(ask, text, **form)
    assert (answer.status_code, words in answer.json["detail"]) == (422, True), answer.json
    assert ask("GET", "/imports").json["items"] == []


def test_a_file_comes_as_a_form_and_from_who_may(ask: Ask) -> None:
    assert ask("POST", "/imports", json={}).status_code == 415
    assert (
        ask("POST", "/imports", data={"file": "text"}, content_type="multipart/form-data").status_code == 422
    )
    assert ask("POST", "/imports", role="agent", data={"file": (io.BytesIO(b"x"), "x")}).status_code == 403


WORDS = {
    "lead_statuses": "  - {key: contacted, name: Contatado, requires: [phone]}",
    "junk_reasons": "  - {key: supplier, name: Wants to sell}",
    "fields": "  - {key: budget, name: Orçamento, on: [lead], type: money}\n"
    "  - {key: since, on: [lead], type: date}\n"
    "  - {key: size, on: [lead], type: choice, choices: [Small, Large]}\n"
    "  - {key: uses, on: [lead], type: choices, choices: [bread, cake]}\n"
    "  - {key: owns, on: [lead], type: flag}\n"
    "  - {key: seats, on: [lead], type: number}\n"
    "  - {key: keeper, on: [lead], type: user}",
}


def test_rows_of_leads_say_the_workspace_s_own_statuses_sources_reasons_and_fields(ask: Ask) -> None:
    configure(WORKSPACE.replace("timezone", "locale: pt_BR, timezone"), **WORDS)
    head = "Nome;Email;Telefone;Status;Origem;Motivo;Orçamento;Since;Size;uses;owns;Seats;Keeper\n"
    text = head + (
        "Ana;ana@x.test;11987654321;Contatado;contact;;R$ 1.200,50;31/01/2026;large;bread, cake;sim;1.200,5;Ana\n"
        "Bia;bia@x.test;;junk;open;Wants to sell;;;;;;;\n"
        "Eva;eva@x.test;;contacted;;;;;;;;;\n"
        "Ida;ida@x.test;;;;;lots;someday;huge;bread, tea;perhaps;many;nobody\n"
    )
    told = send(ask, text).json
    targets = [c["target"] for c in told["columns"]]
    assert targets[3:] == [
        "status", "source", "reason", "fields.budget", "fields.since", "fields.size", "fields.uses", "fields.owns",
        "fields.seats", "fields.keeper",
    ]  # fmt: skip
    seen = ask("GET", f"/imports/{told['id']}/preview").json
    assert (seen["created"], seen["failed"]) == (2, 2)
    ask("POST", f"/imports/{told['id']}/start")
    work(told["id"])
    leads = {lead["name"]: lead for lead in ask("GET", "/leads").json["items"]}
    assert set(leads) == {"Ana", "Bia"}
    ana, bia = leads["Ana"], leads["Bia"]
    assert (ana["status"], ana["source"], bia["status"], bia["source"]) == (
        "contacted", "contact", "junk", "open"
    )  # fmt: skip
    assert ana["fields"] == {
        "budget": "1200.50 BRL", "since": "2026-01-31", "size": "Large", "uses": ["bread", "cake"], "owns": True,
        "seats": 1200.5, "keeper": "ana@acme.test",
    }  # fmt: skip
    with db.reading() as session:
        kept = session.scalars(select(Lead).where(Lead.name == "Bia")).one()
        assert (kept.closing_reason, kept.closed_at is not None) == ("supplier", True)
    wrong = {
        r["row"]: r["reason"] for r in ask("GET", f"/imports/{told['id']}/rows?outcome=failed").json["items"]
    }
    assert wrong[4] == "phone: is required where the status is 'contacted'"
    for words in (
        "budget: 'lots' is no amount", "since: 'someday' is no day", "owns: 'perhaps' is neither yes nor no",
        "seats: 'many' is no number",
    ):  # fmt: skip
        assert words in wrong[5]


def test_words_that_the_workspace_does_not_know_cost_their_row_or_are_no_such_column(ask: Ask) -> None:
    configure(**WORDS)
    text = "Name,Email,Status,Source\nAna,a@x.test,Texas,A fair\n"
    told = send(ask, text).json
    assert [c["target"] for c in told["columns"]][2:] == ["fields.status_imported", "fields.source_imported"]
    mapping = {"Status": "status", "Source": "source"}
    ask("POST", f"/imports/{told['id']}/correct", json={"mapping": mapping})
    ask("POST", f"/imports/{told['id']}/start")
    work(told["id"])
    (row,) = ask("GET", f"/imports/{told['id']}/rows").json["items"]
    assert "there is no source 'A fair'" in row["reason"]
    assert "'Texas' is no status: it is one of new, in_progress, junk, contacted" in row["reason"]


def test_a_known_lead_gets_an_own_status_and_has_its_former_one_again(ask: Ask) -> None:
    configure(**WORDS)
    send(ask, "Name,Email,Phone\nAna,a@x.test,11987654321\n", start="true")
    work(1)
    send(
        ask,
        "Name,Email,Phone,Status\nAna,a@x.test,11987654321,contacted\n",
        start="true",
        duplicates="update",
    )
    work(2)
    (lead,) = ask("GET", "/leads").json["items"]
    assert lead["status"] == "contacted"
    ask("POST", "/imports/2/undo")
    work(2)
    assert ask("GET", f"/leads/{lead['id']}").json["status"] == "new"
