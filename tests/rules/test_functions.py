"""The functions of conditions: what each says, and that none can harm the rules beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rules.calendar import BusinessCalendar
from rules.condition import Condition
from rules.functions import FUNCTIONS
from rules.sight import Sight
from rules.vocabulary import TRIGGERS
from rules.workings import Surroundings

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)  # a Monday, 12:30 in São Paulo
ZONE = ZoneInfo("America/Sao_Paulo")
OFFICE = BusinessCalendar.of({"key": "office", "hours": {"mon-fri": "09:00-18:00"}}, ZONE)
LISTS = {"competitors": frozenset({"acme.com", "joao silva"})}
AROUND = Surroundings(
    now=NOW,
    zone=ZONE,
    country="BR",
    members=LISTS.get,
    calendar={"office": OFFICE}.get,
    count=lambda event, length: 3 if length >= timedelta(days=30) else 1,
)
LEAD: dict[str, Any] = {
    "name": "João  Silva",
    "email": "ana@mail.Acme.com",
    "phone": "(11) 98765-4321",
    "company": "Conceição Ltda",
    "message": "Quero um ORÇAMENTO, já!",
    "score": 5,
    "tags": ["vip"],
    "fields": {"employees": "200", "none": "", "wrong": [1]},
    "created_at": datetime(2026, 11, 20, 22, 0, tzinfo=UTC),  # Friday, 19:00 in São Paulo
}


def evaluate(text: str, around: Surroundings = AROUND) -> tuple[bool, str | None]:
    """Whether it matches, and what the last part had to say."""
    condition = Condition(text, TRIGGERS["lead.created"].variables)
    matched, parts = condition.evaluate(Sight({"lead": LEAD, "event": {}, "workspace": {}}, around))
    return matched, parts[-1].problem


@pytest.mark.parametrize(
    "text",
    [
        'fold(lead.name) == "joao silva"',
        'same(lead.company, "CONCEICAO  ltda")',
        '!same(lead.company, "Conceicao")',
        'mentions(lead.message, "orçamento")',
        'mentions(lead.message, "um orcamento")',
        '!mentions(lead.message, "orca")',
        "number(lead.fields.employees) >= 200",
        "number(lead.score) == 5",
        'number("1.5") == 1.5',
        'domain(lead.email) == "mail.acme.com"',
        'domain("nobody") == ""',
        "!is_free_mail(lead.email)",
        'is_free_mail("a@gmail.com") && is_free_mail("a@yahoo.co.uk") && is_free_mail("a@UOL.com.br")',
        '!is_free_mail("a@yahoo.acme.com.br") && !is_free_mail("gmail.com")',
        'phone_country(lead.phone) == "BR"',
        'phone_country("+351912345678") == "PT"',
        'phone_country("nonsense") == ""',
        'in_list(lead.email, "competitors")',
        'in_list(lead.name, "competitors")',
        '!in_list("acme.com.br", "competitors") && !in_list("macme.com", "competitors")',
        'is_open("office")',
        '!is_open("office", lead.created_at)',
        'business_hours_since(lead.created_at, "office") == 3.5',
        'business_hours_since(now(), "office") == 0.0',
        "hour(lead.created_at) == 19",
        'hour(lead.created_at, "UTC") == 22',
        'weekday(lead.created_at) == "fri" && weekday(now()) in ["mon", "tue"]',
        'date(lead.created_at, "Asia/Tokyo") == "2026-11-21"',
        "days_since(lead.created_at) == 2",
        "hours_since(lead.created_at) == 65.5",
        'count("form.submitted", "30 days") == 3',
        'count("form.submitted", "1 week") == 1',
    ],
)
def test_a_function_says_what_it_says(text: str) -> None:
    assert evaluate(text) == (True, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("number(lead.fields.none) >= 0", "this is no number"),
        ('fold(lead.fields.wrong) == "x"', "'fold' cannot work with this value"),
        ('fold(lead.fields.missing) == "x"', "missing is empty"),
        ('!in_list(lead.email, "gone")', "there is no list 'gone' any more"),
        ('!is_open("gone")', "there is no calendar 'gone' any more"),
        ("days_since(lead.fields.employees) >= 0", "'days_since' cannot work with this value"),
    ],
)
def test_a_function_that_cannot_work_with_what_it_is_given_leaves_its_part_untold(
    text: str, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(text) == (False, problem)
    assert evaluate(f"({text}) || lead.score == 5")[0] is True
    assert "".join(capfd.readouterr()) == ""


def test_a_failure_of_the_database_is_no_matter_of_the_condition() -> None:
    def broken(_event: str, _length: timedelta) -> int:
        raise ConnectionError("the database is away")

    around = Surroundings(now=NOW, zone=ZONE, country="BR", count=broken)
    with pytest.raises(ConnectionError, match="the database is away"):
        evaluate('count("form.submitted", "1 day") > 1', around)


def test_what_a_condition_does_not_ask_for_is_not_counted() -> None:
    asked: list[str] = []

    def count(event: str, _length: timedelta) -> int:
        asked.append(event)
        return 0

    around = Surroundings(now=NOW, zone=ZONE, country="BR", count=count)
    evaluate('lead.score > 9 && count("form.submitted", "1 day") > 1', around)
    assert asked == []
    evaluate('lead.score < 9 && count("form.submitted", "1 day") > 1', around)
    assert asked == ["form.submitted"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_has_words_and_an_example_that_is_right(name: str) -> None:
    function = FUNCTIONS[name]
    assert function.words
    assert f"{name}(" in function.example
    Condition(function.example, TRIGGERS["lead.created"].variables)
