"""The mailbox channel against a real Dovecot."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from imapclient import IMAPClient

from core import db
from tests.intake.mailbox.watching import arrives, declare, events, mail, mailbox, position, state, watching
from tests.servers.mail import PASSWORD, USER, DovecotServer
from tests.servers.port import wait_for

pytestmark = pytest.mark.servers


@pytest.fixture
def server(database: db.Database) -> Iterator[DovecotServer]:
    with DovecotServer() as made:
        yield made


def flags(server: DovecotServer) -> dict[int, tuple[bytes, ...]]:
    with IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10) as client:
        client.login(USER, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        return {uid: data[b"FLAGS"] for uid, data in client.fetch(client.search(), ["FLAGS"]).items()}


def watched() -> None:
    wait_for(lambda: state() == "watching", 5, "it is not watched")


def test_a_backlog_and_what_follows_come_in_once_and_leave_no_trace_in_the_mailbox(
    server: DovecotServer,
) -> None:
    backlog = [mail(n) for n in range(120)]
    with IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10) as client:
        client.login(USER, PASSWORD)
        for raw in backlog:
            client.append("INBOX", raw)
    before = flags(server)
    declare(mailbox(server))
    with watching():
        arrives(*backlog, within=10)
        server.deliver(mail("new"))
        arrives(*backlog, mail("new"), within=1.5)
    assert b"\\Seen" not in {flag for found in flags(server).values() for flag in found}
    assert list(before) == list(range(1, 121))
    assert [event.envelope["facts"]["uid"] for event in events()] == list(range(1, 122))


def test_while_idling_a_message_is_in_the_journal_at_once_each_time(server: DovecotServer) -> None:
    declare(mailbox(server))
    with watching():
        watched()
        known: list[bytes] = []
        for n in range(10):
            time.sleep(0.05 * n)  # at different moments between searching and idling
            known.append(mail(n))
            server.deliver(known[-1])
            arrives(*known, within=1.5)


def test_a_message_dropped_into_the_maildir_is_noticed_too(server: DovecotServer) -> None:
    server.deliver(mail(1))  # makes the folders
    declare(mailbox(server))
    with watching():
        arrives(mail(1))
        file = server.mail / "tmp" / "1.drop.here"
        file.write_bytes(mail(2))
        stat = server.mail.stat()
        os.chown(file, stat.st_uid, stat.st_gid)
        file.rename(server.mail / "new" / file.name)
        arrives(mail(1), mail(2), within=2.5)


def test_another_uidvalidity_doubles_nothing_and_misses_nothing_new(server: DovecotServer) -> None:
    old = [mail(n) for n in range(3)]
    for raw in old:
        server.deliver(raw)
    declare(mailbox(server))
    with watching():
        arrives(*old)
    first = position()
    assert first is not None
    for name in ("dovecot-uidlist", "dovecot-uidvalidity", "dovecot.index.log", "dovecot.index.cache"):
        (server.mail / name).unlink(missing_ok=True)
    server.deliver(mail("new"))
    with watching():
        arrives(*old, mail("new"))
        server.deliver(mail("newer"))
        arrives(*old, mail("new"), mail("newer"), within=1.5)
    second = position()
    assert second is not None
    assert second.uidvalidity != first.uidvalidity
    assert second.last_uid == 5


def test_a_uid_list_that_goes_while_we_watch_loses_nothing(server: DovecotServer) -> None:
    server.deliver(mail(1))
    declare(mailbox(server, poll_seconds=1))
    with watching():
        arrives(mail(1))
        (server.mail / "dovecot-uidlist").unlink()
        server.deliver(mail(2))
        arrives(mail(1), mail(2), within=10)


def test_a_folder_that_does_not_exist_is_named_and_read_once_it_does(server: DovecotServer) -> None:
    declare(mailbox(server, folder="Anúncios"))
    with watching():
        wait_for(
            lambda: (found := position("Anúncios")) and "'Anúncios' cannot be opened" in found.state,
            5,
            "the missing folder is not named",
        )
        with IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10) as client:
            client.login(USER, PASSWORD)
            client.create_folder("Anúncios")
            client.append("Anúncios", mail(1))
        arrives(mail(1), within=10)


def test_a_wrong_password_is_said_aloud(server: DovecotServer) -> None:
    declare(mailbox(server, password="wrong"))
    with watching():
        wait_for(lambda: state().startswith("stopped: sign-in refused: "), 10, "the refusal is not noted")
    assert "wrong" not in state()
