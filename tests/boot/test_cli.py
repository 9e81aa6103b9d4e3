"""The command line: an example in each help, one clear line for each failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from boot import process, schema
from boot.cli import main
from core import db, logs, queue
from core.settings import settings
from tests.factories import WORKSPACE
from tests.servers.service import PORTARIA

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose database `db upgrade` has made: to copy, since making it takes a second."""
    folder = tmp_path_factory.mktemp("upgraded")
    database = db.Database(f"sqlite:///{folder / 'portaria.db'}")
    schema.upgrade(database)
    database.close()
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command here, as its process does but for what a process does to itself for good."""
    monkeypatch.setattr(db, "_current", None)
    monkeypatch.setattr(process, "loaded", lambda: None)
    monkeypatch.setattr(logs, "configure", lambda *_, **__: None)

    def command(*arguments: str, **environment: str) -> Result:
        settings.cache_clear()
        try:
            return CliRunner().invoke(main, arguments, env=environment)
        finally:
            if db._current is not None:
                db._current.close()

    yield command
    queue.configure(None)


@pytest.fixture
def ready(upgraded: Path, tmp_path: Path) -> None:
    """An empty database."""
    shutil.copytree(upgraded, tmp_path / "var")


def commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        inner = command.list_commands(context) if isinstance(command, click.Group) else []
        found += [(name, i) for i in inner] or [(name,)]
    return found


@pytest.mark.parametrize("name", commands(), ids=" ".join)
def test_each_command_s_help_has_an_example(name: tuple[str, ...]) -> None:
    context = click.Context(main, info_name="portaria")
    command: click.Command = main
    for part in name:
        assert isinstance(command, click.Group)
        found = command.get_command(context, part)
        assert found is not None
        command = found
    example = command.get_help(context).split("Example: ", 1)[1]
    assert f"portaria {' '.join(name)}" in example


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    context = click.Context(main, info_name="portaria")
    told = " ".join(main.get_help(context).split("Commands:")[1].split())
    found = [(name, main.get_command(context, name)) for name in main.list_commands(context)]
    assert told == " ".join(
        f"{name} {command.get_short_help_str(limit=200)}" for name, command in found if command
    )


def test_from_an_empty_folder_to_a_configured_workspace(run: Run, tmp_path: Path) -> None:
    assert "the database is empty" in run("failures").stderr
    assert run("db", "upgrade").exit_code == 0
    assert run("db", "check").exit_code == 0
    (tmp_path / "w.yaml").write_text(WORKSPACE)
    dry = run("apply", "w.yaml", "--dry-run")
    assert "+ form contact" in dry.stdout
    assert "dry run" in dry.stdout
    assert {c["action"] for c in json.loads(run("apply", "w.yaml", "--json").stdout)} == {"add"}
    assert run("apply", "w.yaml").stdout == "Nothing differs.\n"
    exported = run("export").stdout
    (tmp_path / "again.yaml").write_text(exported)
    assert run("apply", "again.yaml").stdout == "Nothing differs.\n"
    token = run("token", "create", "site", "--role", "agent").stdout
    assert token.startswith("prt_")
    assert "agent      " in run("token", "list").stdout
    assert run("token", "revoke", "site").stdout == "Revoked: site (number 1)\n"
    assert run("token", "revoke", "site").stderr == "portaria: there is no token 'site' in force\n"
    (listed,) = json.loads(run("token", "list", "--json").stdout)
    assert (listed["name"], listed["role"], bool(listed["revoked_at"])) == ("site", "agent", True)
    assert len(token.splitlines()) == 1
    assert run("failures").stdout == "No failures.\n"
    assert run("user", "create", "ana@acme.test", "--password", "a long password").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (("apply", "nowhere.yaml"), {}, "portaria: nowhere.yaml: No such file"),
        (("apply", "bad.yaml"), {}, "portaria: bad.yaml:2: forms[1].key"),
        (("rules", "explain", "7"), {}, "portaria: there is no lead 7"),
        (("replay",), {}, "portaria: name the events to replay"),
        (("replay", "nothing"), {}, "portaria: 'nothing' is no event's id"),
        (("token", "create", "x", "--role", "king"), {}, "'king' is not one of"),
        (("user", "create", "nobody", "--password", "x"), {}, "portaria: 'nobody' is no e-mail address"),
        (("failures",), {"PORTARIA_SECRET_KEY": ""}, "PORTARIA_SECRET_KEY: Value error, is shorter than"),
        (("failures",), {"PORTARIA_SECRET_KEY": "0123456789"}, "make one with: python3 -c"),
        (("failures",), {"PORT": "many"}, "portaria: the environment is not valid: PORT:"),
        (("failures",), {"DATABASE_URL": "mysql://x"}, "DATABASE_URL: Value error, must begin with"),
        (("failures",), {"BROKER_URL": "http://x"}, "BROKER_URL"),
        (("failures",), {"BROKER_URL": "redis://127.0.0.1:1"}, "PORTARIA_SECRET_KEY must be set"),
        (("worker",), {}, "portaria: there is no broker"),
        (("nonsense",), {}, "No such command 'nonsense'"),
    ],
)
@pytest.mark.usefixtures("ready")
def test_a_failure_is_one_clear_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    (tmp_path / "bad.yaml").write_text("forms:\n  - {key: A B}\n")
    done = run(*arguments, **environment)
    assert done.exit_code != 0
    assert words in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_a_process_tells_its_failure_in_one_line(tmp_path: Path) -> None:
    command = [PORTARIA, "failures"]
    clean = {"PATH": os.environ["PATH"], "PORTARIA_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("portaria: the database is empty")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("ready")
def test_the_rules_are_tried_published_compared_run_and_taken_back(run: Run, tmp_path: Path) -> None:
    rules = "\nrules:\n  - {name: r, on: manual, when: lead.score < 5, do: [score: 3]}\n"
    more = rules + "  - {name: s, on: lead.created, do: [assign: {user: ana@acme.test}]}\n"
    test = "tests:\n  - {name: t, given: {email: a@b.test}, expect: {owner: bruno@acme.test}}\n"
    for name, text in (("one", rules), ("two", more), ("bad", more + test)):
        (tmp_path / f"{name}.yaml").write_text(WORKSPACE + text)
    assert run("apply", "one.yaml").exit_code == 0
    assert run("rules", "check", "two.yaml").stdout == "2 rules, no mistakes; 0 tests came out as expected.\n"
    bad = run("rules", "check", "bad.yaml")
    assert (bad.exit_code, "the test 't' came out otherwise" in bad.stderr) == (1, True)
    tried = json.loads(run("rules", "backtest", "two.yaml", "--days", "7", "--json").stdout)
    assert (tried["leads"], tried["owner_changes"]) == (0, 0)
    assert run("rules", "backtest", "two.yaml", "--page", "page.html").exit_code == 0
    assert "Backtest of the rules" in (tmp_path / "page.html").read_text()
    assert run("apply", "two.yaml").exit_code == 0
    assert [v["version"] for v in json.loads(run("rules", "versions", "--json").stdout)] == [2, 1]
    assert "+ s: waits for lead.created" in run("rules", "diff", "1", "2").stdout
    back = run("rules", "rollback", "1", "--why", "a mistake")
    assert "rules (version 3, 1 rules)" in back.stdout
    assert "command line: a mistake" in run("rules", "versions").stdout
    assert run("rules", "run", "r").stderr.startswith("portaria: say which leads")
    assert run("rules", "run", "r", "--where", "lead.scor > 1").stderr.startswith("portaria: at character 1")
    assert "1: there is no lead 9" in run("rules", "run", "r", "--lead", "9").stdout
    assert run("rules", "run", "r", "--where", "lead.score < 5").stdout.startswith("0 of 0 leads")
