"""Imports through the API: taken in, looked at, corrected, brought in, taken back."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tests.api.conftest import Ask
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
