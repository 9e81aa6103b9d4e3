"""Templates substitute known fields, once, and do nothing else."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from rules import template
from rules.vocabulary import TRIGGERS

VARIABLES = TRIGGERS["lead.created"].variables


def test_fields_are_replaced_by_their_values() -> None:
    text = "Hello {{ lead.name }}, {{ lead.fields.city | upper }}{{ lead.company }}!"
    template.check(text, VARIABLES)
    values = {"lead": {"name": "João", "fields": {"city": "Recife"}, "company": None}}
    assert template.render(text, values) == "Hello João, RECIFE!"


def test_a_value_that_looks_like_a_template_stays_text() -> None:
    values = {"lead": {"name": "{{ lead.email }}{% for x in y %}", "email": "secret@client.test"}}
    assert template.render("Hi {{ lead.name }}", values) == "Hi {{ lead.email }}{% for x in y %}"


def test_what_is_missing_becomes_nothing() -> None:
    assert template.render("[{{ lead.fields.city }}]", {"lead": {"fields": {}}}) == "[]"
    assert template.render("[{{ lead.fields.a.b }}]", {"lead": {}}) == "[]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ lead.nmae }}", "did you mean 'name'"),
        ("{{ led.name }}", "did you mean 'lead'"),
        ("{{ ''.__class__ }}", "only fields|is no field"),
        ("{{ lead.__class__ }}", "is no field"),
        ("{{ lead.fields.__init__ }}", "is no field"),
        ("{{ lead['name'] }}", "only fields"),
        ("{{ lead.name() }}", "only fields"),
        ("{{ 7 * 7 }}", "only fields"),
        ("{% for x in lead.tags %}{% endfor %}", "only fields"),
        ("{% include 'x' %}", "only fields"),
        ("{{ lead.name | attr('x') }}", "there is no filter"),
        ("{{ lead.name", "line 1"),
        ("{{ lead }}", "needs a field"),
    ],
)
def test_anything_else_is_refused(text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        template.check(text, VARIABLES)
