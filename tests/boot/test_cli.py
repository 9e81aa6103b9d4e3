"""The command line: an example in each help, one clear line for each failure."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from boot.cli import main
from tests.factories import WORKSPACE
from tests.servers.service import PORTARIA

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {k: os.environ[k] for k in ("PATH", "HOME", "LANG") if k in os.environ}
        return subprocess.run(
            [PORTARIA, *arguments],
            cwd=tmp_path,
            env={**clean, "PORTARIA_DATA_DIR": str(tmp_path / "data"), **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return command


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


def test_from_an_empty_folder_to_a_configured_workspace(run: Run, tmp_path: Path) -> None:
    assert "the database is empty" in run("failures").stderr
    assert run("db", "upgrade").returncode == 0
    assert run("db", "check").returncode == 0
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
    assert run("user", "create", "ana@acme.test", "--password", "a long password").returncode == 0


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
def test_a_failure_is_one_clear_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    run("db", "upgrade")
    (tmp_path / "bad.yaml").write_text("forms:\n  - {key: A B}\n")
    done = run(*arguments, **environment)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_rules_are_tried_published_compared_run_and_taken_back(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade")
    rules = "\nrules:\n  - {name: r, on: manual, when: lead.score < 5, do: [score: 3]}\n"
    more = rules + "  - {name: s, on: lead.created, do: [assign: {user: ana@acme.test}]}\n"
    test = "tests:\n  - {name: t, given: {email: a@b.test}, expect: {owner: bruno@acme.test}}\n"
    for name, text in (("one", rules), ("two", more), ("bad", more + test)):
        (tmp_path / f"{name}.yaml").write_text(WORKSPACE + text)
    assert run("apply", "one.yaml").returncode == 0
    assert run("rules", "check", "two.yaml").stdout == "2 rules, no mistakes; 0 tests came out as expected.\n"
    bad = run("rules", "check", "bad.yaml")
    assert (bad.returncode, "the test 't' came out otherwise" in bad.stderr) == (1, True)
    tried = json.loads(run("rules", "backtest", "two.yaml", "--days", "7", "--json").stdout)
    assert (tried["leads"], tried["owner_changes"]) == (0, 0)
    assert run("rules", "backtest", "two.yaml", "--page", "page.html").returncode == 0
    assert "Backtest of the rules" in (tmp_path / "page.html").read_text()
    assert run("apply", "two.yaml").returncode == 0
    assert [v["version"] for v in json.loads(run("rules", "versions", "--json").stdout)] == [2, 1]
    assert "+ s: waits for lead.created" in run("rules", "diff", "1", "2").stdout
    back = run("rules", "rollback", "1", "--why", "a mistake")
    assert "rules (version 3, 1 rules)" in back.stdout
    assert "command line: a mistake" in run("rules", "versions").stdout
    assert run("rules", "run", "r").stderr.startswith("portaria: say which leads")
    assert run("rules", "run", "r", "--where", "lead.scor > 1").stderr.startswith("portaria: at character 1")
    assert "1: there is no lead 9" in run("rules", "run", "r", "--lead", "9").stdout
    assert run("rules", "run", "r", "--where", "lead.score < 5").stdout.startswith("0 of 0 leads")
