"""Mailboxes over the API and on the command line: how they stand, another try, a comparison."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from click.testing import CliRunner

from boot.commands import mailboxes as commands
from core import clock, db
from intake.mailbox import desk, folder, report, right
from models.mailbox import WatchedMailbox
from models.source import Channel
from tests.api.conftest import Ask
from tests.factories import configure, source
from tests.intake.mailbox.watching import arrives, mail, mailbox, state, watching
from tests.servers.imap import ImapServer
from tests.servers.port import wait_for
from worker import reconciling


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "begin", lambda: None)
    monkeypatch.setattr(commands, "_PATIENCE", 0)
    for module in (folder, right):
        monkeypatch.setattr(module, "RENEW_SECONDS", 0.1)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(commands.mailboxes, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_how_a_mailbox_stands_and_what_can_be_asked_of_it(ask: Ask) -> None:
    with ImapServer() as server:
        server.deliver(mail(1))
        configure(mailboxes=mailbox(server))
        (before,) = ask("GET", "/mailboxes").json["items"]
        assert (before["state"], before["last_message_at"]) == ("unwatched", None)
        assert "is a 'portaria mailboxes' running?" in before["trouble"]
        with watching():
            arrives(mail(1))
            wait_for(server.idling, 5, "nobody idles")
            told = ask("GET", "/mailboxes/sales").json
            assert (told["state"], told["trouble"], told["lag_seconds"]) == ("watching", "", 0)
            assert told["last_message_at"] is not None
            assert ask("POST", "/mailboxes/sales/reconcile", role="agent").status_code == 403
            asked = ask("POST", "/mailboxes/sales/reconcile")
            assert (asked.status_code, asked.json["reconciled_at"]) == (202, None)
            wait_for(lambda: ask("GET", "/mailboxes/sales").json["reconciled_at"], 5, "it is not compared")
            (found,) = json.loads(run("reconcile", "--json"))
            assert found["folders"][0]["reconciliation"]["on_server"] == 1
            assert "sales, INBOX: 1 on the server" in run("reconcile", "sales")
            assert "sales: watching" in run("list")
            server.refusal = "NO [AUTHENTICATIONFAILED] no"
            server.drop()
            wait_for(lambda: state().startswith("stopped"), 5, "it does not stop")
            assert "mend it, or ask for another try" in run("list")
            server.refusal = ""
            assert ask("POST", "/mailboxes/sales/retry").status_code == 202
            wait_for(lambda: state() == "watching", 5, "it does not begin anew")
            assert "tries again" in run("retry", "sales")
        assert ask("GET", "/mailboxes/nobody").status_code == 404
        assert ask("POST", "/mailboxes/nobody/reconcile").status_code == 404


def test_nobody_who_could_compare_is_said_at_once(ask: Ask) -> None:
    with ImapServer() as server:
        configure(mailboxes=mailbox(server))
        done = CliRunner().invoke(commands.mailboxes, ["reconcile", "sales"])
    assert "is not compared yet: was never watched" in str(done.exception)


def test_the_end_of_a_grant_is_told_two_weeks_before(ask: Ask) -> None:
    with ImapServer() as server:
        configure(mailboxes=mailbox(server))
    with db.unit_of_work() as session:
        source_id = source(session, "sales", Channel.EMAIL).id
        desk.note(session, source_id, desk.WATCHING)
        row = session.get_one(WatchedMailbox, source_id)
        row.token_expires_at = clock.now() + timedelta(days=20)
    assert ask("GET", "/mailboxes/sales").json["trouble"] == ""
    with clock.frozen(clock.now() + timedelta(days=7)):
        with db.unit_of_work() as session:
            desk.note(session, source_id, desk.WATCHING)
        assert "signing in by this grant ends on" in ask("GET", "/mailboxes/sales").json["trouble"]


def test_each_mailbox_is_compared_once_a_day(ask: Ask) -> None:
    with ImapServer() as server:
        configure(mailboxes=mailbox(server))
    assert (reconciling.ask(), reconciling.ask()) == (1, 0)
    with clock.frozen(clock.now() + timedelta(hours=25)):
        assert (reconciling.ask(), reconciling.ask()) == (1, 0)


def test_two_processes_that_begin_at_once_note_one_mailbox(ask: Ask) -> None:
    with ImapServer() as server:
        configure(mailboxes=mailbox(server))
    with db.unit_of_work() as session:
        source_id = source(session, "sales", Channel.EMAIL).id
    failures: list[Exception] = []

    def note() -> None:
        try:
            with db.unit_of_work() as session:
                desk.note(session, source_id, desk.WATCHING)
        except Exception as error:  # noqa: BLE001  looked at below
            failures.append(error)

    threads = [threading.Thread(target=note) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with db.reading() as session:
        assert [one.key for one in report.of_all(session)] == ["sales"]
