"""The mailbox channel against a real Dovecot."""

from __future__ import annotations

import os
import select
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage

import pytest
import sqlalchemy
from imapclient import IMAPClient

from core import db, storage
from core.settings import settings
from crm import attachments
from intake.mailbox import folder, watch
from intake.mailbox.message import read
from models.attachment import Attachment
from tests.intake.mailbox.watching import (
    arrives,
    bodies,
    declare,
    events,
    mail,
    mailbox,
    position,
    running,
    state,
    watching,
)
from tests.servers.mail import PASSWORD, USER, DovecotServer
from tests.servers.port import wait_for
from worker import executor, left_files

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


class CuttingProxy:
    """Between a client and a server: ends each connection after so many bytes from the server."""

    def __init__(self, port: int) -> None:
        self.after: list[int] = []  # of each next connection; without one it goes on
        self.cuts = 0
        self.open: set[socket.socket] = set()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer.open.add(self.request)
                with socket.create_connection(("127.0.0.1", port)) as there:
                    left = outer.after.pop(0) if outer.after else None
                    while True:
                        ready, _, _ = select.select([self.request, there], [], [], 30)
                        if not ready:
                            return
                        if self.request in ready:
                            if not (said := self.request.recv(65536)):
                                return
                            there.sendall(said)
                        if there in ready:
                            if not (said := there.recv(65536)):
                                return
                            if left is not None and len(said) >= left:
                                self.request.sendall(said[:left])
                                outer.cuts += 1
                                return
                            left = left - len(said) if left is not None else None
                            self.request.sendall(said)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """One of the two has gone."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def drop(self) -> None:
        """Ends all connections."""
        for one in list(self.open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


def fill(server: DovecotServer, first: int, last: int) -> list[bytes]:
    """Drops messages into the Maildir, which is quicker than to append them."""
    made = [mail(n) for n in range(first, last)]
    if not (server.mail / "new").exists():
        server.deliver(made[0])
        first += 1
    owner = server.mail.stat()
    for n in range(first, last):
        file = server.mail / "new" / f"{10**9 + n}.test.here"
        file.write_bytes(mail(n))
        os.chown(file, owner.st_uid, owner.st_gid)
    return made


def test_a_connection_that_is_cut_after_any_number_of_bytes_loses_and_doubles_nothing(
    server: DovecotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_LONGEST_WAIT", 0.02)
    backlog = fill(server, 0, 20)
    proxy = CuttingProxy(server.port)
    # From within the greeting to the last bodies; then whole.
    proxy.after = [*range(1, 700, 37), *range(700, 6000, 293)]
    try:
        declare(mailbox(proxy))
        with watching():
            arrives(*backlog, within=40)
            server.deliver(mail("new"))
            arrives(*backlog, mail("new"), within=10)
    finally:
        proxy.stop()
    assert proxy.cuts > 10


def test_a_backlog_of_five_thousand_after_an_outage_comes_in_once(server: DovecotServer) -> None:
    fill(server, 0, 1)
    declare(mailbox(server))
    with watching():
        arrives(mail(0))
    fill(server, 1, 5001)
    with watching():
        wait_for(lambda: (found := position()) and found.last_uid == 5001, 60, "it does not all come")
        server.deliver(mail("new"))
        wait_for(lambda: len(bodies()) == 5002, 5, "the next one does not come")
    assert len(set(bodies())) == 5002


def test_a_folder_that_is_renamed_and_made_anew_loses_and_doubles_nothing(server: DovecotServer) -> None:
    with IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10) as client:
        client.login(USER, PASSWORD)
        client.create_folder("Vendas")
        client.append("Vendas", mail(1))
        declare(mailbox(server, folder="Vendas", poll_seconds=1, since=None))
        with watching():
            arrives(mail(1))
            client.append("Vendas", mail(2))
            arrives(mail(1), mail(2))
            client.rename_folder("Vendas", "Old")
            client.create_folder("Vendas")
            client.append("Vendas", mail(2))  # somebody copies one back
            client.append("Vendas", mail(3))
            arrives(mail(1), mail(2), mail(3), within=70)  # after a pause, if it looked between the two
        client.append("Old", mail(4))
        declare(mailbox(server, folder="Old", since=None))
        with watching():
            arrives(mail(1), mail(2), mail(3), mail(4), within=10)


@pytest.mark.parametrize("after", ["seen", "delete", "'move:Handled'"])
def test_what_is_journalled_is_dealt_with_on_a_real_server(server: DovecotServer, after: str) -> None:
    for n in (1, 2):
        server.deliver(mail(n))
    declare(mailbox(server, after=after))
    with watching():
        arrives(mail(1), mail(2))
        wait_for(
            lambda: (
                all(b"\\Seen" in found for found in flags(server).values())
                if after == "seen"
                else not flags(server)
            ),
            5,
            "it is not dealt with",
        )
        server.deliver(mail(3))
        arrives(mail(1), mail(2), mail(3), within=2)
    with IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10) as client:
        client.login(USER, PASSWORD)
        assert client.folder_exists("Handled") is ("Handled" in after)


def test_of_a_large_message_on_a_real_server_the_texts_are_taken_and_its_file_on_demand(
    server: DovecotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTARIA_MAX_MAIL_BYTES", "100000")
    settings.cache_clear()
    made = EmailMessage()
    made["From"], made["Subject"], made["Message-ID"] = "ana@client.test", "Plans", "<plans@client.test>"
    made.set_content("Veja os planos, por favor: é urgente.")
    made.add_alternative("<p>Veja os planos</p>", subtype="html")
    made.add_attachment(b"x" * 500_000, maintype="application", subtype="pdf", filename="planta é.pdf")
    server.deliver(made.as_bytes(policy=made.policy.clone(linesep="\r\n")))
    declare(mailbox(server))
    with watching():
        wait_for(lambda: len(events()) == 1, 10, "it does not come")
    (event,) = events()
    (left,) = event.envelope["facts"]["left"]
    assert (left["part"], left["content_type"], left["size"] > 500_000) == ("2", "application/pdf", True)
    assert left["name"] == "planta é.pdf"
    assert "Veja os planos, por favor: é urgente." in read(event.body).text
    assert len(event.body) < 3000
    executor.process_event(event.id)
    with db.unit_of_work() as session:
        row = session.scalars(sqlalchemy.select(Attachment)).one()
        assert (row.place, row.refused) == ("", "left on the mail server")
        attachments.ask(session, row)
    left_files.fetch(row.id)
    with db.reading() as session:
        assert storage.get(session.scalars(sqlalchemy.select(Attachment)).one().place) == b"x" * 500_000


def test_a_mailbox_that_was_refused_begins_anew_when_its_settings_change(server: DovecotServer) -> None:
    server.deliver(mail(1))
    declare(mailbox(server, password="expired"))
    stop = threading.Event()
    with running(watch.watch_all, stop, stop):
        wait_for(lambda: state().startswith("stopped: sign-in refused"), 15, "it does not stop")
        declare(mailbox(server))
        arrives(mail(1), within=15)


def test_a_password_that_is_changed_while_we_watch_stops_the_mailbox_and_the_new_one_goes_on(
    server: DovecotServer,
) -> None:
    proxy = CuttingProxy(server.port)
    declare(mailbox(proxy))
    stop = threading.Event()
    try:
        with running(watch.watch_all, stop, stop):
            server.deliver(mail(1))
            arrives(mail(1), within=10)
            server.set_password("another")
            server.deliver(mail(2), password="another")  # who is signed in stays signed in
            arrives(mail(1), mail(2), within=5)
            proxy.drop()
            wait_for(lambda: state().startswith("stopped: sign-in refused"), 20, "it does not stop")
            server.deliver(mail(3), password="another")
            declare(mailbox(proxy, password="another"))
            arrives(mail(1), mail(2), mail(3), within=20)
            wait_for(lambda: state() == "watching", 5, "its end is not noted")
    finally:
        proxy.stop()
