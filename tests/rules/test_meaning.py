"""What a condition cannot mean is told when it is published: where, and what was probably meant."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from crm.catalogue import ACTIVITY_KINDS
from models.call import CallResult
from models.lead import LeadStatus
from models.source import Channel
from rules.condition import Condition
from rules.schema import read
from rules.step import Known
from rules.vocabulary import CHOICES, TRIGGERS, References

VARIABLES = TRIGGERS["call.missed"].variables
KNOWN = References(frozenset({"competitors"}), frozenset({"office"}), frozenset({"contact", "sales"}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # names
        ("has(lead.nme)", "at character 5: 'lead' has no 'nme'; did you mean 'name'?"),
        ('lead["nme"] == "x"', "'lead' has no 'nme'; did you mean 'name'?"),
        ("has(lead)", "'has' wants a field"),
        # types, through the whole expression
        ("lead.score", "a condition is true or false, and this is number"),
        ("lead.score && true", "'&&' wants true or false, and this is number"),
        ("!lead.name", "at character 2: '!' wants true or false, and this is text"),
        ("lead.name ? true : false", "'?' wants true or false"),
        ("fold(lead.name) == 3", "compares text with number"),
        ("lead.tags.exists(t, t > 3)", "at character 21: compares text with number"),
        ('lead.tags.contains("vip")', "'contains' wants text, and this is a list of texts"),
        ('lead.tags == "vip"', 'write "…" in …'),
        ("3 in lead.tags", "looks for number among texts"),
        ('"a" in lead.name', "'in' wants a list, and this is text; write ….contains(…)"),
        ('lead.created_at > "2026-01-01"', "compares a moment with text"),
        ('lead.created_at > timestamp("2026-01-01")', "at character 29: '2026-01-01' is no timestamp"),
        ('now() - lead.created_at > duration("1 day")', "'1 day' is no duration"),
        ('lead.score + "x" == "5x"', "'+' does not go with number and text"),
        ("lead.score.size() > 1", "number has no size"),
        ('lead.name == b"x"', "compares text with bytes"),
        # choices
        ('lead.channel == "from"', "at character 17: 'lead.channel' is never 'from'; did you mean 'form'?"),
        ('"mised" == call.result', "at character 1: 'call.result' is never 'mised'; did you mean 'missed'?"),
        ('lead.channel in ["form", "emial"]', "at character 26: 'lead.channel' is never 'emial'"),
        ('lead.status == "closed"', "'lead.status' is never 'closed'; it is converted, in_progress, junk"),
        ('lead.source == "contct"', "'lead.source' is never 'contct'; did you mean 'contact'?"),
        ('weekday(now()) == "monday"', "'weekday' is never 'monday'; did you mean 'mon'?"),
        # functions
        ("max(lead.score, 2) == 2", "there is no function 'max'; write a > b ? a : b"),
        ('bool("true")', "there is no function 'bool'"),
        ('lead.created_at.getHours("America/Sao_Paulo") == 3', "for a time zone write hour(moment, zone)"),
        ('hour(lead.created_at, "America/SaoPaulo") == 3', "did you mean 'America/Sao_Paulo'?"),
        ('lead.name.fold() == "x"', "'fold' is written fold(…)"),
        ('matches(lead.name, "x")', "'matches' is written after what it is about"),
        ("count('form.submitted') > 1", "'count' takes 2 values"),
        ("is_open() == true", "'is_open' takes 1 or 2 values"),
        ("days_since(lead.name) >= 2", "at character 12: 'days_since' wants a moment, and this is text"),
        ('in_list(lead.name, "compettors")', "at character 20: there is no list 'compettors'; did you mean"),
        ("in_list(lead.name, lead.source)", "'in_list' wants the list written out, in quotes"),
        ('is_open("ofice")', "there is no calendar 'ofice'; did you mean 'office'?"),
        ('count("form.submited", "1 day") > 1', "did you mean 'form.submitted'?"),
        ('count("form.submitted", "3 business days") > 1', "the period is plain time"),
        # what can be known to be no use, or to be dear
        ("lead.score / 0 == 1", "at character 14: divides by zero"),
        ("lead.score % 0 == 1", "divides by zero"),
        ('1 == 1 || "a" == "b"', "this refers to nothing: it always comes out the same"),
        ('lead.name.matches("(")', "at character 19: this is no pattern: unclosed group"),
        ("lead.name.matches(lead.message)", "the pattern of 'matches' is written out"),
        ('lead.name.matches("[a-z]{100}{100}")', "the pattern repeats too much"),
        (r'lead.name.matches(r"(\w{1,20}\s?){1,10}")', "the pattern repeats too much"),
        (" || ".join([r'lead.name.matches(r"\w{30}")'] * 4), "the pattern repeats too much"),
        (r'lead.name.matches("\.br$")', 'with \\ in it, write r"…"'),
        (f'lead.name.matches(r"{chr(92)}w{chr(92)}w" + "x")', "written out"),
        (f'lead.name.matches("{"a" * 501}")', "no longer than 500"),
        (" || ".join(['lead.name.matches("a")'] * 11), "more than 10 patterns"),
        ("lead.fields.a.all(a, a.all(b, b.all(c, true)))", "lists inside lists; 2 deep"),
        ("lead.score" + " + 1" * 300 + " > 1", "nested deeper"),
        (" || ".join(["true"] * 600), "made of more than 1000 pieces"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused(text: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        Condition(text, VARIABLES, KNOWN)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "type(lead.score) == int",
        "type(lead.fields.size) == string",
        'lead.source in ["contact", "sales"]',
        'lead.channel == "form" ? lead.score > 3 : lead.fields.any == "x"',
        'lead.fields.a.b["c"] == "x" && lead["name"] != ""',
        'lead.attribution.utm_source.startsWith("news")',
        "lead.fields.items.exists(i, i.price > 3 && i.tags.all(t, t != lead.name))",
        'lead.tags.map(t, fold(t)) == ["vip"]',
        "now() - lead.created_at > duration('24h') && lead.created_at.getMonth() == 11",
        " || ".join(["lead.score > 1"] * 100),
        "true",
        r'lead.fields.cnpj.matches(r"^\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}$")',
        'lead.email.matches("^[a-z0-9._%+-]+@[a-z0-9-]+([.][a-z]{2,10}){1,3}$")',
        r'lead.email.matches(r"\.br$")',
        'lead.message.matches("(?i)(or\u00e7amento|proposta|pre\u00e7o){1,50}")',
    ],
)
def test_a_condition_that_can_be_meant_is_let_through(text: str) -> None:
    Condition(text, VARIABLES, KNOWN)


def test_what_is_not_known_is_not_checked() -> None:
    Condition('in_list(lead.email, "any") && is_open("any") && lead.source == "any"', VARIABLES)


def test_rules_that_were_published_stay_in_force_when_the_check_becomes_stricter() -> None:
    rules = [{"name": "r", "on": "lead.created", "when": 'lead.status != "closed"', "do": ["stop"]}]
    assert [rule.name for rule in read(rules)[0]] == ["r"]
    known = Known(frozenset(), frozenset(), frozenset(), {}, {})
    assert "'lead.status' is never 'closed'" in read(rules, known)[1][0].words


def test_the_choices_are_the_words_that_fields_really_take() -> None:
    assert set(CHOICES["lead.status"]) == {s.value for s in LeadStatus}
    # What other programs tell makes no lead, and a source of the workspace's own is no way in.
    channels = {c.value for c in Channel} - {Channel.WEBHOOK.value, Channel.OWN.value}
    assert set(CHOICES["lead.channel"]) == set(CHOICES["event.channel"]) == channels
    assert set(CHOICES["call.result"]) == {r.value for r in CallResult}
    assert set(CHOICES["activity.type"]) == set(ACTIVITY_KINDS)
