"""The documents say what is true: every setting, trigger, step and adapter, and examples that work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices
from sqlalchemy.orm import Session

from core.settings import Settings
from intake.pipeline import ADAPTERS
from rules.functions import FUNCTIONS
from rules.library import BINDERS, KINDS, METHODS, PLAIN
from rules.steps import STEPS
from rules.vocabulary import CHOICES, COUNTED, TRIGGERS
from workspace import document
from workspace.check import check

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
CONDITIONS = (ROOT / "docs" / "conditions.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_table(name: str) -> None:
    field = Settings.model_fields[name]
    alias = field.validation_alias
    for variable in alias.choices if isinstance(alias, AliasChoices) else [alias]:
        assert f"`{variable}`" in CONFIGURATION
    assert f"| {field.description} |" in CONFIGURATION


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_every_trigger_is_told_with_its_variables(trigger: str) -> None:
    (row,) = (line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{trigger}` |"))
    for field in TRIGGERS[trigger].fields:
        assert f"event.{field}" in row
    assert ("call" in row.rsplit("|", 2)[1]) is TRIGGERS[trigger].call


def test_every_step_and_adapter_has_its_line() -> None:
    steps = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "steps.md").read_text(), re.MULTILINE)
    assert sorted(steps) == sorted(STEPS)
    assert all(f"`{step}`" in CONFIGURATION for step in STEPS)
    adapters = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs" / "adapters.md").read_text(), re.MULTILINE)
    assert sorted(adapters) == sorted(ADAPTERS)


def test_every_function_type_and_choice_of_conditions_is_told() -> None:
    rows = CONDITIONS.splitlines()
    for function in FUNCTIONS.values():
        needed = len(function.takes) - function.may_omit
        takes = ", ".join(function.takes[:needed])
        takes += f"[, {', '.join(function.takes[needed:])}]" if function.may_omit else ""
        example = function.example.replace("|", "\\|")
        row = f"| `{function.name}({takes})` | {function.gives} | {function.words} | `{example}` |"
        assert row in rows
    assert len([r for r in rows if r.count(" | ") == 3]) == len(FUNCTIONS) + 2  # with the head
    for field, words in CHOICES.items():
        assert f"| `{field}` | {', '.join(f'`{word}`' for word in words)} |" in rows
    for name in (*METHODS, *PLAIN, *BINDERS):
        assert re.search(rf"\b{name}\(", CONDITIONS), name
    assert all(f"`{word}`" in CONDITIONS for word in (*KINDS, *COUNTED))


def examples() -> list[str]:
    return [block for file in DOCS for block in re.findall(r"```yaml\n(.*?)```", file.read_text(), re.DOTALL)]


@pytest.mark.parametrize("text", examples())
def test_every_workspace_example_is_right(session: Session, tmp_path: Path, text: str) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(text)
    check(session, document.read(file))


@pytest.mark.parametrize("file", DOCS, ids=lambda f: f.name)
def test_every_link_leads_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", file.read_text()):
        if not target.startswith("https://"):
            assert (file.parent / target).exists(), target


def test_every_decision_has_a_number_of_its_own_and_is_listed() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [file.name[:4] for file in files] == [f"{n:04}" for n in range(1, len(files) + 1)]
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    assert [file.name for file in files if f"(decisions/{file.name})" not in architecture] == []
