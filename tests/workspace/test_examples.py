"""The examples are right, and the tests that their rules carry come out as expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.lead import Lead
from models.rule import RulesetVersion
from workspace import document
from workspace.apply import apply
from workspace.apply import tests_of as carried
from workspace.check import check
from workspace.export import export

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f.stem)
def test_an_example_can_be_applied_and_its_rules_do_what_their_tests_say(
    session: Session, file: Path
) -> None:
    read = document.read(file)
    apply(session, check(session, read), by="test")
    assert len(carried(read.values)) >= 1
    assert session.scalar(select(func.count()).select_from(RulesetVersion)) == 1
    assert session.scalar(select(func.count()).select_from(Lead)) == 0


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f.stem)
def test_an_example_that_was_exported_changes_nothing(session: Session, tmp_path: Path, file: Path) -> None:
    apply(session, check(session, document.read(file)), by="test")
    again = tmp_path / "again.yaml"
    again.write_text(document.write(export(session)))
    assert apply(session, check(session, document.read(again)), by="test") == []
