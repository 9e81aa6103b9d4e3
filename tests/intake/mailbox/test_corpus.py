"""Every mail of the corpus is understood as a person would; what is known to be wrong is told as such."""

from __future__ import annotations

import pytest

from bench import email_corpus
from bench.email_corpus import FOLDER, KNOWN, Case

CASES = email_corpus.cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mail_is_understood_as_a_person_would(case: Case) -> None:
    assert bool(case.wrong) is (case.name in KNOWN), case.wrong


def test_every_mail_has_its_result_and_every_result_its_mail() -> None:
    results = [path.name.removesuffix(".expected.json") for path in FOLDER.glob("*.expected.json")]
    assert sorted(results) == [case.name for case in CASES]
    assert len(CASES) >= 150
    assert KNOWN.keys() <= {case.name for case in CASES}


def test_the_table_counts_what_is_right_and_explains_what_is_not() -> None:
    table = email_corpus.table(CASES)
    assert f"{len(CASES) - len(KNOWN):7}{len(KNOWN):7}" in table
    assert "not explained" not in table
    assert all(name in table for name in KNOWN)
