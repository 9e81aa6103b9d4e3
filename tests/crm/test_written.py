"""Days, moments and custom fields as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.errors import Invalid
from crm.catalogue import CustomField
from crm.imported.field import read
from crm.written import Custom, day, moment

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
HERE = Custom.of(SAO_PAULO, locale="pt_BR", country="BR")
STATES = Custom.of(ZoneInfo("America/New_York"), locale="en", country="US")
BRITISH = Custom.of(ZoneInfo("Europe/London"), locale="en-GB", country="US")
LAST = date(2026, 1, 31)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31", "20260131", "2026/01/31", "2026. 1. 31.", "31/01/2026", "31.1.2026", "31-01-26", "1/31/2026",
        "31 de janeiro de 2026", "31. Januar 2026", "31 Jan 2026", "31-Jan-26", "Jan 31, 2026", "January 31st, 2026",
        "le 31 janvier 2026", "31 ENE 2026", "31/01/2026 09:15", "2026-01-31T09:15:00Z",
    ],
)  # fmt: skip
def test_a_day_is_read_as_it_is_written(text: str) -> None:
    assert day(text, HERE) == LAST


@pytest.mark.parametrize(
    ("text", "custom", "found"),
    [
        ("03/04/2026", HERE, date(2026, 4, 3)),
        ("03/04/2026", STATES, date(2026, 3, 4)),
        ("03/04/2026", BRITISH, date(2026, 4, 3)),
        ("1º de março de 2026", HERE, date(2026, 3, 1)),
        ("3. März 99", HERE, date(1999, 3, 3)),
        ("31/13/2026", HERE, None),
        ("30/02/2026", HERE, None),
        ("5 jui 2026", HERE, None),
        ("tomorrow", HERE, None),
        ("," * 100_000, HERE, None),
        ("", HERE, None),
    ],
)
def test_what_comes_first_depends_on_where_it_is_written(
    text: str, custom: Custom, found: date | None
) -> None:
    assert day(text, custom) == found


def test_a_moment_is_of_the_workspace_s_zone_unless_it_says_another() -> None:
    nine = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    for text in (
        "2026-01-31 09:00",
        "31/01/2026 9:00",
        "31 de janeiro de 2026 às 9:00",
        "2026-01-31T12:00:00Z",
    ):
        assert moment(text, HERE) == nine, text
    assert moment("1/31/2026 9:05 PM", STATES) == datetime(2026, 2, 1, 2, 5, tzinfo=UTC)
    assert moment("31/01/2026", HERE) == datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
    for text in ("31/01/2026 25:00", "1/31/2026 13:05 PM", "9:00", "0001-01-01T00:00+14:00"):
        assert moment(text, HERE) is None, text


def field(kind: str, **more: Any) -> CustomField:
    return CustomField(key="x", on=["deal"], type=kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "text", "value"),
    [
        (field("text"), 12, "12"),
        (field("number"), "1.234,5", 1234.5),
        (field("number"), "12", 12),
        (field("money"), "R$ 1.234,50", "1234.50 BRL"),
        (field("money"), "1,234.50 EUR", "1234.50 EUR"),
        (field("money"), "EUR 12", "12 EUR"),
        (field("money"), 12.5, "12.5"),
        (field("date"), "31/01/2026", "2026-01-31"),
        (field("datetime"), "31/01/2026 09:00", "2026-01-31T12:00:00+00:00"),
        (field("choice", choices=["Small", "Large"]), "large", "Large"),
        (field("choices", choices=["Small", "Large"]), "small; LARGE", ["Small", "Large"]),
        (field("flag"), "sim", True),
        (field("flag"), "no", False),
        (field("reference", to="contact"), "17", 17),
        (field("date"), "  ", None),
    ],
)
def test_a_cell_is_what_its_field_is(own: CustomField, text: Any, value: Any) -> None:
    assert read(own, text, HERE) == value


@pytest.mark.parametrize(
    ("own", "text", "words"),
    [
        (field("number"), "many", "is no number"),
        (field("money"), "12 EUR BRL", "is no amount"),
        (field("money"), "EUR 12 BRL", "is no amount"),
        (field("money"), "1,234", "may mean two amounts"),
        (field("date"), "soon", "is no day"),
        (field("datetime"), "soon", "is no moment"),
        (field("flag"), "perhaps", "is neither yes nor no"),
    ],
)
def test_what_it_cannot_be_is_said(own: CustomField, text: str, words: str) -> None:
    with pytest.raises(Invalid) as told:
        read(own, text, HERE)
    assert words in told.value.fields["/fields/x"]
