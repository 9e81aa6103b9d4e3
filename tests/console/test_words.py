"""How values read on a page."""

from __future__ import annotations

from typing import Any

import pytest

from console import words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (-5, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7200, "2 h"), (90_061, "1 d 1 h")],
)
def test_a_duration_is_said_in_two_units(seconds: int, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "–"),
        ("", "–"),
        (True, "Yes"),
        (False, "No"),
        (0, "0"),
        ([], "–"),
        (["a", 1], "a, 1"),
        ([{"a": "é"}], '[\n {\n  "a": "é"\n }\n]'),
        ({"a": 1}, '{\n "a": 1\n}'),
        (1.5, "1.5"),
    ],
)
def test_any_value_is_text(given: Any, said: str) -> None:
    assert words.value(given) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("utm_source", "UTM source"),
        ("emails", "E-mail"),
        ("", ""),
        ("page  title", "Page title"),
        ("ID", "ID"),
    ],
)
def test_a_machines_name_is_made_readable(name: str, said: str) -> None:
    assert words.label(name) == said


@pytest.mark.parametrize(
    ("actor", "said"),
    [
        ("user:7", "Ana"),
        ("user:8", "User 8"),
        ("user:x", "user:x"),
        ("rule:Big ones: first", "Rule “Big ones: first”"),
        ("token:website", "website (by the API)"),
        ("service", "Portaria"),
    ],
)
def test_who_did_it_is_named(actor: str, said: str) -> None:
    assert words.actor(actor, {7: "Ana"}) == said


def test_a_preview_ends_between_words() -> None:
    assert words.preview("word " * 200).endswith("word …")
    assert words.preview("x" * 900) == "x" * 240 + " …"
