"""The CRM's parts of the workspace file: applied, exported, checked, and what rules may say of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid
from models.pipeline import Pipeline, Stage
from models.product import Product
from tests.factories import configure_in
from workspace import document
from workspace.apply import apply
from workspace.check import check
from workspace.export import export

ROOT = Path(__file__).parents[2]
#: The example of the documentation.
PARTS = re.search(
    r"### Contacts, companies, deals\n\n```yaml\n(.*?)```",
    (ROOT / "docs" / "configuration.md").read_text(),
    re.DOTALL,
).group(1)  # type: ignore[union-attr]


def read_text(tmp_path: Path, text: str) -> document.Document:
    file = tmp_path / "w.yaml"
    file.write_text(text)
    return document.read(file)


def test_all_of_it_is_applied_once_exported_and_applied_again_without_a_change(
    session: Session, tmp_path: Path
) -> None:
    changes = [str(c) for c in configure_in(session, PARTS)]
    assert {"+ pipeline sales", "+ product OVEN-L", "+ currencies (2)", "+ numbers"} <= set(changes)
    assert configure_in(session, PARTS) == []
    text = document.write(export(session))
    assert apply(session, check(session, read_text(tmp_path, text)), by="test") == []
    variant = session.scalars(select(Product).where(Product.sku == "OVEN-L")).one()
    assert (variant.parent.sku, variant.prices, variant.options) == ("OVEN", {"BRL": "6990"}, {"size": "L"})  # type: ignore[union-attr]


def test_what_is_left_out_is_switched_off_and_comes_back(session: Session) -> None:
    configure_in(session, PARTS)
    less = PARTS.replace("      - {key: new, name: New, probability: 10}\n", "").replace(
        "  - {sku: SETUP", "#  - {sku: SETUP"
    )
    assert {str(c) for c in configure_in(session, less)} == {"~ pipeline sales (stages)", "- product SETUP"}
    assert session.scalar(select(Stage.active).where(Stage.key == "new")) is False
    assert {str(c) for c in configure_in(session, PARTS)} == {
        "~ pipeline sales (stages)",
        "~ product SETUP (active)",
    }
    other = "pipelines: [{key: x, stages: [{key: a}, {key: w, group: won}, {key: l, group: lost}]}]"
    assert {str(c) for c in configure_in(session, other)} == {"+ pipeline x", "- pipeline sales"}
    assert session.scalar(select(Pipeline.active).where(Pipeline.key == "sales")) is False


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("fields.budget]", "fields.bugdet]", r"pipelines\[1\].stages\[2\].requires\[2\]: there is no field 'bugdet' of deals; did you mean 'budget'"),
        ("[amount,", "[amounts,", "'amounts' cannot be required"),
        ("requires: [phone]", "requires: [score]", "'score' cannot be required"),
        (", group: won}", "}", "needs a stage of the group won"),
        ("{key: lost, name", "{key: won, name", "two stages 'won'"),
        ("tax: iss}", "tax: isss}", "there is no tax 'isss'; did you mean 'iss'"),
        ("unit: hour", "unit: hours", "there is no unit 'hours'; did you mean 'hour'"),
        ("USD: 990", "USS: 990", "there is no currency 'USS'"),
        ("variant_of: OVEN,", "variant_of: SETP,", "'SETP' is no product"),
        ("rate: 5.1", "rate: 0", "greater than 0"),
        ("type: choice, choices: [small, large]", "type: choice", "'choices' belongs to"),
        ("type: money", "type: cash", "fields"),
        ("key: contacted", "key: junk", "a status that there is anyway"),
        ("{number:05}", "{nmber}", "must name the number"),
        ("sku: SETUP", "sku: OVEN", "'oven' stands twice in products"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(session: Session, before: str, after: str, words: str) -> None:
    assert before in PARTS
    with pytest.raises(Invalid, match=words):
        configure_in(session, PARTS.replace(before, after))


def test_rules_may_use_own_statuses_reasons_and_kinds_and_no_others(session: Session) -> None:
    rule = "rules: [{name: r, on: lead.created, when: 'lead.status == \"%s\"', do: [{schedule: {type: %s, subject: x, due: 1 hours}}, {change_status: %s}, {mark_junk: %s}]}]"
    right = ("contacted", "demo", "contacted", "supplier")
    configure_in(session, PARTS + rule % right)
    for place, words in (
        (0, "never 'x'"),
        (1, "no kind of activity 'x'"),
        (2, "no status 'x'"),
        (3, "no reason 'x'"),
    ):
        wrong = tuple("x" if number == place else word for number, word in enumerate(right))
        with pytest.raises(Invalid, match=words):
            configure_in(session, PARTS + rule % wrong)
