"""What imports cannot see: who ends a transaction, who reads the time, how large a room has grown."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from intake import pipeline
from intake.pipeline import ADAPTERS
from models import Base
from rules.steps import STEPS
from rules.vocabulary import TRIGGERS

ROOT = Path(__file__).parents[1]
PACKAGES = ("api", "boot", "console", "core", "crm", "intake", "models", "rules", "worker", "workspace")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


@functools.cache
def calls(file: Path) -> list[tuple[str, int]]:
    tree = ast.walk(ast.parse(file.read_text()))
    return [(ast.unparse(node.func), node.lineno) for node in tree if isinstance(node, ast.Call)]


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def found(endings: tuple[str, ...], allowed: tuple[str, ...]) -> list[str]:
    return [
        f"{name(file)}:{line} {call}"
        for file in FILES
        if name(file) not in allowed
        for call, line in calls(file)
        if call.endswith(endings)
    ]


def test_only_the_database_s_own_room_ends_a_transaction() -> None:
    endings = (".commit", ".rollback", ".begin", ".begin_nested")
    allowed = ("core/db.py", "core/savepoint.py", "boot/schema.py", "boot/migrate.py")
    # A process and a sign-in begin too.
    assert [f for f in found(endings, allowed) if not f.endswith((" process.begin", " auth.begin"))] == []


def test_only_the_clock_reads_the_time() -> None:
    endings = ("datetime.now", "datetime.utcnow", "date.today", "time.time")
    assert found(endings, ("core/clock.py",)) == []


def test_only_the_settings_read_the_environment() -> None:
    allowed = (
        "core/settings.py",
        "core/secrets.py",
        "workspace/check.py",
        "boot/process.py",
        "boot/up.py",
        "api/operations.py",
    )
    assert found(("os.getenv", "os.environ.get"), allowed) == []


def test_nothing_is_evaluated_or_unpickled() -> None:
    endings = ("eval", "exec", "pickle.loads", "yaml.load", "os.system")
    assert [f for f in found(endings, ()) if f.split()[-1] in endings] == []


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_room_is_not_crowded(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 300


@pytest.mark.parametrize("file", [f for f in FILES if f.name != "__init__.py"], ids=name)
def test_a_module_says_what_it_is_for(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text()))


@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_named_as_its_file(step: str) -> None:
    assert (ROOT / "rules" / "steps" / f"{step}.py").exists()
    assert STEPS[step].label


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_each_adapter_says_what_it_is(adapter: str) -> None:
    assert ADAPTERS[adapter].__doc__
    assert ADAPTERS[adapter].content_types
    assert ADAPTERS[adapter].name == adapter


def test_no_two_adapters_have_one_name() -> None:
    names = [adapter.name for adapter in pipeline._ALL]
    assert sorted(names) == sorted(set(names))


def test_each_trigger_that_the_code_sets_off_is_known() -> None:
    told = {
        node.args[0].value
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Happening"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value
    }
    assert told <= set(TRIGGERS)


def test_each_moment_is_stored_with_its_zone() -> None:
    naive = [
        f"{table}.{column.name}"
        for table, definition in Base.metadata.tables.items()
        for column in definition.columns
        if type(column.type).__name__ == "DateTime"
    ]
    assert naive == []
