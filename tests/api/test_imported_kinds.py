"""Files of contacts, companies, deals and products: brought in, brought in again, and taken back."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from boot.commands import importing
from tests.api.conftest import Ask
from tests.factories import WORKSPACE, configure
from worker import imports

SET_UP = {
    "fields": "  - {key: segment, on: [company], type: choice, choices: [bakery, hotel]}\n"
    "  - {key: ovens, on: [deal], type: number}",
    "currencies": "  - {code: EUR, rate: 6}",
}
FILES = {
    "contact": "Name,Email,Cargo,Company\nAna Lima,ana@client.test,Buyer,Pão Bom Ltda\nRui,rui@client.test,,\n",
    "company": "Company name,Website,City,segment\nPão Bom,https://www.paobom.test/,Recife,bakery\nSol,,,hotel\n",
    "deal": "Deal,Amount,Currency,Stage,Email,ovens\nThree ovens,\"1.234,50\",EUR,qualified,ana@client.test,3\n",
    "product": "SKU,Product,Category,Price,price.EUR,VAT,Active\nOV,Oven,Ovens,\"1,000.50\",180,18%,yes\nTR,Tray,,9,,,no\n",
}  # fmt: skip
LISTS = {"contact": "/contacts", "company": "/companies", "deal": "/deals", "product": "/products"}


def bring(ask: Ask, what: str, text: str, **form: Any) -> dict[str, Any]:
    file = (io.BytesIO(text.encode()), f"{what}.csv")
    answer = ask("POST", "/imports", data={"file": file, "what": what, "start": "true", **form})
    assert answer.status_code == 201, answer.text
    return worked(ask, answer.json["id"])


def worked(ask: Ask, job_id: int) -> dict[str, Any]:
    for _ in range(20):
        if not imports.advance(job_id):
            break
    told: dict[str, Any] = ask("GET", f"/imports/{job_id}").json
    assert told["error"] == ""
    return told


def stage(ask: Ask) -> str:
    return str(ask("GET", "/pipelines").json["items"][0]["stages"][1]["key"])


def file_of(ask: Ask, what: str) -> str:
    return FILES[what].replace("qualified", stage(ask))


@pytest.fixture(autouse=True)
def set_up(client: Any) -> None:
    configure(**SET_UP)


@pytest.mark.parametrize("what", list(FILES))
def test_each_kind_comes_once_and_goes_again(ask: Ask, what: str) -> None:
    if what == "deal":
        ask("POST", "/contacts", json={"name": "Ana", "emails": ["ana@client.test"]})
    rows = FILES[what].count("\n") - 1
    before = ask("GET", LISTS[what]).json["items"]
    draft = ask(
        "POST", "/imports", data={"file": (io.BytesIO(file_of(ask, what).encode()), "f.csv"), "what": what}
    )
    seen = ask("GET", f"/imports/{draft.json['id']}/preview").json
    assert (seen["created"], seen["known"], seen["failed"]) == (rows, 0, 0), seen
    assert "-" not in [c["target"] for c in draft.json["columns"]]
    assert ask("GET", LISTS[what]).json["items"] == before
    job = bring(ask, what, file_of(ask, what))
    assert (job["what"], job["created"], job["failed"]) == (what, rows, 0), ask(
        "GET", f"/imports/{job['id']}/rows"
    ).text
    again = bring(ask, what, file_of(ask, what))
    assert (again["created"], again["skipped"]) == (0, rows)
    assert ask("GET", "/leads").json["items"] == []
    ask("POST", f"/imports/{job['id']}/undo")
    back = worked(ask, job["id"])
    assert (back["state"], back["removed"], back["kept"]) == ("undone", rows, 0), ask(
        "GET", f"/imports/{job['id']}/rows"
    ).text
    assert ask("GET", LISTS[what]).json["items"] == before


def test_what_a_row_says_is_what_is_there(ask: Ask) -> None:
    for what in ("company", "contact", "deal", "product"):
        bring(ask, what, file_of(ask, what), tags="fair" if what != "product" else "")
    (company,) = ask("GET", "/companies?q=Recife").json["items"]
    assert (company["domain"], company["fields"], company["tags"]) == (
        "paobom.test",
        {"segment": "bakery"},
        ["fair"],
    )
    (ana,) = ask("GET", "/contacts?email=ana@client.test").json["items"]
    assert (ana["name"], ana["position"], ana["company_id"]) == ("Ana Lima", "Buyer", company["id"])
    (deal,) = ask("GET", "/deals").json["items"]
    assert (Decimal(deal["amount"]), deal["currency"], deal["stage"]) == (
        Decimal("1234.50"),
        "EUR",
        stage(ask),
    )
    assert (deal["contact_id"], deal["fields"]) == (ana["id"], {"ovens": 3})
    (oven,) = ask("GET", "/products?sku=OV").json["items"]
    assert {c: Decimal(p) for c, p in oven["prices"].items()} == {
        "BRL": Decimal("1000.50"),
        "EUR": Decimal(180),
    }
    assert (oven["section"], Decimal(oven["tax_rate"]), oven["active"]) == ("Ovens", Decimal(18), True)
    assert [p["sku"] for p in ask("GET", "/products?active=false").json["items"]] == ["TR"]


def test_what_is_there_is_changed_and_has_its_former_values_again(ask: Ask) -> None:
    bring(ask, "company", FILES["company"])
    bring(ask, "product", FILES["product"])
    bring(ask, "contact", FILES["contact"])
    had = {path: ask("GET", path).json["items"] for path in ("/companies", "/products", "/contacts")}
    jobs = [
        bring(ask, "company", "name,domain,city,segment\nPão Bom,paobom.test,Olinda,hotel\n", duplicates="update"),
        bring(ask, "product", "sku,name,price,tax_rate\nOV,Oven,2000,12\n", duplicates="update"),
        bring(ask, "contact", "name,email,position\nAna Maria Lima,ana@client.test,Boss\n", duplicates="update"),
    ]  # fmt: skip
    assert [(j["updated"], j["failed"]) for j in jobs] == [(1, 0)] * 3
    assert ask("GET", "/companies?q=Olinda").json["items"][0]["fields"] == {"segment": "hotel"}
    assert ask("GET", "/contacts?email=ana@client.test").json["items"][0]["last_name"] == "Maria Lima"
    for job in jobs:
        ask("POST", f"/imports/{job['id']}/undo")
        assert worked(ask, job["id"])["restored"] == 1
    for path, items in had.items():
        found = ask("GET", path).json["items"]
        assert [i | {"updated_at": ""} for i in found] == [i | {"updated_at": ""} for i in items]


def test_what_somebody_has_touched_is_kept(ask: Ask) -> None:
    job = bring(ask, "product", FILES["product"])
    (oven,) = ask("GET", "/products?sku=OV").json["items"]
    ask("PATCH", f"/products/{oven['id']}", json={"name": "Great oven"})
    made = bring(ask, "contact", FILES["contact"])
    (ana,) = ask("GET", "/contacts?email=ana@client.test").json["items"]
    ask("POST", f"/contacts/{ana['id']}/comments", json={"text": "Nice"})
    for one in (job, made):
        ask("POST", f"/imports/{one['id']}/undo")
        told = worked(ask, one["id"])
        assert (told["removed"], told["kept"]) == (1, 1)


@pytest.mark.parametrize(
    ("what", "text", "reason"),
    [
        ("contact", "name,email\nAna,nobody\n", "is no e-mail address"),
        ("company", "name,segment\nSol,farm\n", "must be one of bakery, hotel"),
        ("company", "name,country\nSol,Brazil\n", "is no country of two letters"),
        ("deal", "title,amount\nA,a lot\n", "is no number"),
        ("deal", 'title,amount\nA,"1,234"\n', "may mean two amounts"),
        ("deal", "title,stage\nA,nowhere\n", "is no stage"),
        ("deal", "title,currency\nA,CHF\n", "is none of the workspace's"),
        ("deal", "title,email\nA,new@client.test\n", "there is no contact"),
        ("deal", "title,company\nA,Unknown\n", "there is no company"),
        ("deal", "title,owner\nA,nobody\n", "there is no user"),
        ("product", "name,price\nA,-1\n", "is no price"),
        ("product", "name,price.CHF\nA,1\n", "is none of the workspace's currencies"),
        ("product", "name,sku,variant_of\nA,B,C\n", "is no product that can have variants"),
        ("product", "name,active\nA,maybe\n", "is neither yes nor no"),
    ],
)  # fmt: skip
def test_a_row_that_makes_no_sense_costs_itself_and_says_why(
    ask: Ask, what: str, text: str, reason: str
) -> None:
    good = "Fine" + "," * text.split("\n")[0].count(",") + "\n"
    if what == "contact":
        good = "Fine,fine@client.test\n"
    job = bring(ask, what, text + good)
    assert (job["created"], job["failed"]) == (1, 1)
    (row,) = ask("GET", f"/imports/{job['id']}/rows?outcome=failed").json["items"]
    assert reason in row["reason"]


def test_a_variant_may_follow_its_product_in_the_same_file(ask: Ask) -> None:
    text = "sku,name,variant_of\nOV,Oven,\nOV-L,Large oven,OV\n"
    draft = ask(
        "POST", "/imports", data={"file": (io.BytesIO(text.encode()), "f.csv"), "what": "product"}
    ).json
    assert ask("GET", f"/imports/{draft['id']}/preview").json["created"] == 2
    job = bring(ask, "product", text)
    assert job["created"] == 2
    ask("POST", f"/imports/{job['id']}/undo")
    assert worked(ask, job["id"])["removed"] == 2


def test_a_file_says_what_its_rows_are_called(ask: Ask) -> None:
    file = (io.BytesIO(b"sku\nOV\n"), "f.csv")
    answer = ask("POST", "/imports", data={"file": file, "what": "product"})
    assert (answer.status_code, "no column is the name of a product" in answer.text) == (422, True)


def test_a_row_moves_a_deal_to_its_stage_as_a_person_does(ask: Ask) -> None:
    stages = (
        "  - {key: sales, stages: [{key: new}, {key: offer}, {key: won, group: won}, "
        "{key: lost, group: lost, reason_required: true}]}"
    )
    rules = (
        "  - {name: cheer, on: deal.won, do: [add_tag: cheered]}\n"
        "  - {name: note, on: deal.stage_changed, do: [add_tag: moved]}"
    )
    reasons = "  - {key: price, group: lost}"
    configure(pipelines=stages, closing_reasons=reasons, rules=rules, **SET_UP)
    ask("POST", "/contacts", json={"name": "Ana", "emails": ["ana@client.test"]})
    bring(
        ask,
        "deal",
        "title,email,stage\nA,ana@client.test,new\nB,ana@client.test,new\nC,ana@client.test,new\n",
    )
    text = (
        "title,email,stage,reason\nA,ana@client.test,won,\nB,ana@client.test,lost,price\n"
        "C,ana@client.test,lost,\n"
    )
    job = bring(ask, "deal", text, duplicates="update", rules="true")
    assert (job["updated"], job["failed"]) == (2, 1)
    (failed,) = ask("GET", f"/imports/{job['id']}/rows?outcome=failed").json["items"]
    assert "is required" in failed["reason"]
    deals = {d["title"]: d for d in ask("GET", "/deals").json["items"]}
    assert [(deals[t]["state"], deals[t]["closing_reason"]) for t in "ABC"] == [
        ("won", None), ("lost", "price"), ("open", None)
    ]  # fmt: skip
    assert [sorted(deals[t]["tags"]) for t in "ABC"] == [["cheered", "moved"], ["moved"], []]
    stays = ask("GET", f"/deals/{deals['A']['id']}/stages").json["items"]
    assert [s["stage"] for s in stays] == ["new", "won"]
    told = ask("GET", f"/deals/{deals['A']['id']}/timeline?kind=stage_changed").json["items"]
    assert [e["data"]["after"] for e in told] == ["won"]


def test_a_deal_that_was_moved_by_a_file_is_moved_back(ask: Ask) -> None:
    ask("POST", "/contacts", json={"name": "Ana", "emails": ["ana@client.test"]})
    bring(ask, "deal", "title,email\nA,ana@client.test\n")
    (before,) = ask("GET", "/deals").json["items"]
    job = bring(ask, "deal", "title,email,stage,amount\nA,ana@client.test,won,100\n", duplicates="update")
    assert ask("GET", "/deals").json["items"][0]["state"] == "won"
    ask("POST", f"/imports/{job['id']}/undo")
    assert worked(ask, job["id"])["restored"] == 1
    (after,) = ask("GET", "/deals").json["items"]
    for name in ("stage", "state", "amount", "closed_at", "closing_reason"):
        assert after[name] == before[name], name
    stays = ask("GET", f"/deals/{before['id']}/stages").json["items"]
    assert [s["stage"] for s in stays] == [before["stage"], "won", before["stage"]]


def test_days_and_amounts_are_read_as_they_are_written_here(ask: Ask) -> None:
    own = "  - {key: visit, name: Visita, on: [deal], type: date}\n  - {key: budget, on: [deal], type: money}"
    configure(WORKSPACE.replace("timezone", "locale: pt_BR, timezone"), fields=own)
    text = (
        "title;Previsao;Visita;budget\nA;31/01/2027;3 de fevereiro de 2027;R$ 1.234,50\n"
        "B;2027-01-31;;\nC;someday;;\nD;;never;lots\n"
    )
    job = bring(ask, "deal", text)
    assert (job["created"], job["failed"]) == (2, 2)
    deals = {d["title"]: d for d in ask("GET", "/deals").json["items"]}
    assert [deals[t]["expected_close"] for t in "AB"] == ["2027-01-31"] * 2
    assert deals["A"]["fields"] == {"visit": "2027-02-03", "budget": "1234.50 BRL"}
    reasons = [r["reason"] for r in ask("GET", f"/imports/{job['id']}/rows?outcome=failed").json["items"]]
    assert "visit: 'never' is no day" in reasons[0]
    assert "budget: 'lots' is no amount" in reasons[0]
    assert "expected_close: 'someday' is no day" in reasons[1]


@pytest.mark.parametrize("what", list(FILES))
def test_each_kind_is_brought_in_and_taken_back_on_the_command_line(
    ask: Ask, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "begin", lambda: None)
    if what == "deal":
        ask("POST", "/contacts", json={"name": "Ana", "emails": ["ana@client.test"]})
    before = ask("GET", LISTS[what]).json["items"]
    file, wrong = tmp_path / "f.csv", tmp_path / "errors.csv"
    heads = FILES[what].split("\n")[0].count(",")
    file.write_text(
        file_of(ask, what) + "," * heads + "\n" + ("x" if what == "deal" else "") + "," * heads + "\n"
    )

    def run(*arguments: str) -> dict[str, Any]:
        done = CliRunner().invoke(importing.import_command, [*arguments, "--json"])
        assert done.exit_code in (0, 1), done.output
        return dict(json.loads(done.stdout.strip().split("\n")[-1]))

    assert run(str(file), "--what", what, "--dry-run")["created"] >= 1
    assert ask("GET", LISTS[what]).json["items"] == before
    told = run(str(file), "--what", what, "--errors", str(wrong))
    assert told["created"] >= FILES[what].count("\n") - 1
    assert wrong.read_text().startswith("row,reason")
    assert run("--undo", "1")["removed"] == told["created"]
    assert ask("GET", LISTS[what]).json["items"] == before
