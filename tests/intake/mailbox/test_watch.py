"""The watcher against a server with bad days: nothing lost, nothing doubled, nothing touched."""

from __future__ import annotations

import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from imapclient import SocketTimeout
from sqlalchemy import select

from core import clock, db, queue
from core.errors import Unavailable, Unreadable
from core.metrics import ACCEPTED, REPEATED
from core.settings import settings
from intake import journal, lease
from intake.delivery import Delivery
from intake.mailbox import connection, desk, folder, right, watch
from intake.mailbox.adapter import Mailbox
from intake.mailbox.settings import MailboxSettings
from models.inbound import InboundEvent
from models.lease import Lease
from models.mailbox import MailboxPosition
from tests.factories import configure
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
from tests.servers.imap import ImapServer
from tests.servers.mail import PASSWORD
from tests.servers.port import wait_for


@pytest.fixture(autouse=True)
def short_waits(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_LONGEST_WAIT", 0.05)
    for module in (folder, right, watch):
        monkeypatch.setattr(module, "RENEW_SECONDS", 0.3)
    monkeypatch.setattr(connection, "TIMEOUT", SocketTimeout(connect=2, read=3))


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer() as made:
        yield made
    assert made.misuse == []


def wait_until_idle(server: ImapServer, sessions: int = 1) -> None:
    wait_for(lambda: server.idling() >= sessions, 5, "nobody idles")


class Told:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, **more: Any) -> None:
        self.lines.append(f"{event} {more}")

    warning = error = info

    def exception(self, event: str, **more: Any) -> None:
        self.info(event, **more)
        self.lines += traceback.format_exc().splitlines()


def parsed(event: InboundEvent) -> Any:
    delivery = Delivery.restored(event.body, event.content_type, event.received_at, event.envelope)
    return Mailbox().parse(
        delivery, MailboxSettings.model_validate({"key": "x", "host": "h", "username": "u", "password": "p"})
    )


# News


def test_with_idle_a_message_is_in_the_journal_at_once(server: ImapServer) -> None:
    declare(mailbox(server))
    with watching():
        wait_until_idle(server)
        server.deliver(mail(1))
        arrives(mail(1), within=1.5)
    (event,) = events()
    facts = event.envelope["facts"]
    assert (facts["uid"], facts["uidvalidity"], facts["folder"]) == (1, 7, "INBOX")
    assert facts["internaldate"] == "2026-11-23T15:00:00-03:00"
    assert (event.adapter, event.content_type) == ("imap", "message/rfc822")
    assert parsed(event).emails == ("maria1@client.test",)


def test_without_idle_a_message_is_found_by_looking(server: ImapServer) -> None:
    server.can_idle = False
    declare(mailbox(server, poll_seconds=1))
    with watching():
        wait_for(lambda: server.asked("UID SEARCH"), 5, "it does not look")
        server.deliver(mail(1))
        arrives(mail(1), within=2)
        server.deliver(mail(2))
        arrives(mail(1), mail(2), within=2)
    assert server.asked("IDLE") == 0


def test_a_backlog_comes_in_once_and_in_order_and_lets_go_first_what_comes_just_now(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[queue.Wake] = []
    monkeypatch.setattr(queue, "ring", rung.extend)
    backlog = [mail(n) for n in range(300)]
    for raw in backlog:
        server.deliver(raw)
    declare(mailbox(server))
    with watching():
        arrives(*backlog, within=10)
        wait_until_idle(server)
        server.deliver(mail(300))
        arrives(*backlog, mail(300))
    assert [w.actor for w in rung] == [queue.PROCESS_BACKLOG] * 300 + [queue.PROCESS_EVENT]
    found = position()
    assert found is not None
    assert (found.last_uid, found.state) == (301, "watching")


def test_a_message_that_comes_while_the_server_searches_is_not_overlooked(server: ImapServer) -> None:
    server.once["UID SEARCH"] = lambda: server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        arrives(mail(1), within=1.5)


def test_a_message_that_comes_between_searching_and_idling_is_not_overlooked(server: ImapServer) -> None:
    server.once["IDLE"] = lambda: server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        arrives(mail(1), within=1.5)


def test_a_message_that_comes_while_another_is_fetched_is_not_overlooked(server: ImapServer) -> None:
    server.deliver(mail(1))
    server.once["UID FETCH"] = lambda: server.deliver(mail(2))
    declare(mailbox(server))
    with watching():
        arrives(mail(1), mail(2), within=1.5)


def test_idling_is_renewed_before_the_server_ends_it(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(folder, "RENEW_SECONDS", 0.1)
    declare(mailbox(server))
    with watching():
        wait_for(lambda: server.asked("IDLE") > 3, 3, "it idles only once")
        server.deliver(mail(1))
        arrives(mail(1), within=1.5)
    assert server.accepted == 1


def test_a_server_that_repeats_itself_is_not_asked_without_end(server: ImapServer) -> None:
    server.repeats_exists = True
    server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        arrives(mail(1))
        time.sleep(0.5)
        assert server.asked("UID SEARCH") <= 3


def test_a_message_after_a_deletion_is_news_although_the_number_is_the_same(server: ImapServer) -> None:
    declare(mailbox(server))
    server.deliver(mail(1))
    with watching():
        arrives(mail(1))
        wait_until_idle(server)
        server.remove(1)
        time.sleep(0.1)
        server.deliver(mail(2))
        arrives(mail(1), mail(2), within=1.5)


def test_a_deletion_told_behind_an_arrival_does_not_hide_the_next_arrival(server: ImapServer) -> None:
    server.tells_removals_last = True
    server.deliver(mail(1))

    def meanwhile() -> None:
        server.deliver(mail(2))
        server.remove(1)

    server.once["UID SEARCH"] = meanwhile
    declare(mailbox(server))
    with watching():
        arrives(mail(2), within=1.5)
        wait_until_idle(server)
        server.deliver(mail(3))
        arrives(mail(2), mail(3), within=1.5)


# Bad days of the line


def test_a_connection_that_ends_while_idling_is_made_anew_at_once(server: ImapServer) -> None:
    declare(mailbox(server))
    with watching():
        for n in range(3):
            wait_until_idle(server)
            server.drop()
            server.deliver(mail(n))
            arrives(*(mail(m) for m in range(n + 1)), within=1.5)
    assert server.accepted == 4


@pytest.mark.parametrize("n", [0, 1, 40, 100, 250, 617])
def test_a_connection_cut_in_the_middle_of_a_message_loses_and_doubles_nothing(
    server: ImapServer, n: int
) -> None:
    backlog = [mail(m) for m in range(4)]
    for raw in backlog:
        server.deliver(raw)
    server.cuts.append(n)
    declare(mailbox(server))
    with watching():
        arrives(*backlog)
        wait_until_idle(server)
    assert not server.cuts
    assert server.accepted == 2


def test_a_server_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with ImapServer() as gone:
        declare(mailbox(gone))
    with watching():
        wait_for(lambda: state().startswith("interrupted: "), 5, "the trouble is not noted")


def test_a_server_that_hangs_is_given_up_and_does_not_stop_another_mailbox(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", SocketTimeout(connect=0.3, read=0.3))
    with ImapServer() as hanging:
        hanging.silent_at = {"UID SEARCH"}
        declare(mailbox(server), mailbox(hanging, "other"))
        stop = threading.Event()
        with running(watch.watch_all, stop, stop):
            wait_for(lambda: hanging.accepted >= 3, 5, "it is not given up")
            server.deliver(mail(1))
            arrives(mail(1), within=1.5)
            hanging.silent_at = {"CONNECT"}
            before = hanging.accepted
            wait_for(lambda: hanging.accepted >= before + 2, 5, "it is not given up")
            hanging.silent_at = set()
            hanging.speak.set()
            hanging.deliver(mail(2))
            arrives(mail(1), mail(2))


def test_waiting_grows_with_each_failure_and_begins_anew_after_success(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    interrupted = folder.FolderWatcher._interrupted

    def noted(self: folder.FolderWatcher, error: Exception) -> float:
        waits.append(self._failures)
        return interrupted(self, error)

    monkeypatch.setattr(folder.FolderWatcher, "_interrupted", noted)
    server.deliver(mail(1))
    server.cuts.extend([10, 10, 10])
    declare(mailbox(server))
    with watching():
        arrives(mail(1))
        wait_until_idle(server)
        server.drop()
        wait_for(lambda: len(waits) == 4, 5, "it does not notice")
        wait_until_idle(server)
    assert waits == [0, 1, 2, 0]


# Bad days of the server


def test_another_uidvalidity_doubles_nothing_and_misses_nothing_new(server: ImapServer) -> None:
    old = [mail(n) for n in range(5)]
    for raw in old:
        server.deliver(raw)
    declare(mailbox(server))
    with watching():
        arrives(*old)
        server.remove(2)
        server.deliver(mail("new"))
        server.renumber()
        arrives(*old, mail("new"))
        wait_until_idle(server)
        server.deliver(mail("newer"))
        arrives(*old, mail("new"), mail("newer"))
    found = position()
    assert found is not None
    assert found.last_uid == 6
    assert [e.envelope["facts"]["uidvalidity"] for e in events()] == [7, 7, 7, 7, 7, 8, 8]


@pytest.mark.parametrize("way", ["bad_uids", "withheld_uids", "deadly_uids"])
def test_a_message_that_cannot_be_had_is_set_aside_as_failed_and_the_next_one_comes(
    server: ImapServer, way: str
) -> None:
    for n in range(1, 6):
        server.deliver(mail(n))
    getattr(server, way).add(3)
    declare(mailbox(server))
    with watching():
        wait_for(lambda: len(events()) == 5, 10, "the others do not come")
        server.deliver(mail(6))
        wait_for(lambda: len(events()) == 6, 5, "the next one does not come")
    found = events()
    assert [e.body for e in found if "fetch_error" not in e.envelope["facts"]] == [
        mail(n) for n in (1, 2, 4, 5, 6)
    ]
    head = mail(3).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert found[2].body == (b"" if way == "bad_uids" else head)  # what can be had of it
    with pytest.raises(Unreadable, match="the server would not give this message"):
        parsed(found[2])


@pytest.mark.parametrize(
    ("way", "items"),
    [
        ("bad", ("RFC822.SIZE",)),
        ("deadly", ("RFC822.SIZE",)),
        ("deadly", ("BODY",)),
        ("deadly", ("BODY", "RFC822.SIZE")),
    ],
)
def test_a_message_of_which_nothing_can_be_had_does_not_stop_the_others(
    server: ImapServer, way: str, items: tuple[str, ...]
) -> None:
    for n in range(1, 6):
        server.deliver(mail(n))
    setattr(server, f"{way}_uids", {3})
    setattr(server, f"{way}_items", items)
    declare(mailbox(server))
    with watching():
        wait_for(lambda: len(events()) == 5, 10, "the others do not come")
    found = events()
    assert [e.body for n, e in enumerate(found) if n != 2] == [mail(n) for n in (1, 2, 4, 5)]
    with pytest.raises(Unreadable, match="the server would not give this message"):
        parsed(found[2])


@pytest.mark.parametrize(
    ("instead", "of"),
    [
        (b"-0300", b"+99999999999999"),  # no zone: OverflowError
        (b"(UID", b"(X " + b"(" * 5000 + b")" * 5000 + b" UID"),  # RecursionError
        (b"BODY[] {", b"((( BODY[] {"),
        (b"a secret ", b"a secret " + b"x" * 100),  # longer than it says: its end stands as answers
    ],
)
def test_an_answer_that_breaks_its_reader_does_not_stop_the_others_and_is_not_quoted(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch, instead: bytes, of: bytes
) -> None:
    told = Told()
    monkeypatch.setattr(folder, "log", told)
    server.deliver(mail(1))
    server.deliver(mail(2, text="a secret " * 100_000 + "\r\na secret" * 20))
    server.deliver(mail(3))
    server.odd_answers = {2: (instead, of)}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: [e.body for e in events()][-1:] == [mail(3)], 10, "the others do not come")
    found = events()
    assert [e.envelope["facts"]["uid"] for e in found] == [1, 2, 3]
    assert "fetch_error" in found[1].envelope["facts"]
    said = "".join(told.lines)
    assert "mailbox.message_set_aside" in said
    for content in ("secret", "Maria", "Message 2"):
        assert content not in said + state() + str(found[1].envelope)
    assert max(len(line) for line in told.lines) < 1000


def test_a_message_whose_date_has_no_possible_zone_comes_in_without_it(server: ImapServer) -> None:
    server.deliver(mail(1))
    server.odd_answers = {1: (b"-0300", b"+9999")}
    declare(mailbox(server))
    with watching():
        arrives(mail(1))
    assert "internaldate" not in events()[0].envelope["facts"]


def test_a_message_that_cannot_be_had_for_a_while_comes_later(server: ImapServer) -> None:
    server.deliver(mail(1))
    server.deliver(mail(2))
    server.bad_uids = {1}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: server.accepted >= 2, 5, "it is not tried again")
        server.bad_uids = set()
        arrives(mail(1), mail(2))


def test_a_message_deleted_before_it_was_read_is_passed_over(server: ImapServer) -> None:
    for n in (1, 2, 3):
        server.deliver(mail(n))
    server.once["UID SEARCH"] = lambda: server.remove(2)
    declare(mailbox(server))
    with watching():
        arrives(mail(1), mail(3))
        wait_until_idle(server)
    assert server.accepted == 1


@pytest.mark.parametrize("claimed", [None, 10, 10_000_000])
def test_of_a_message_that_is_too_large_the_text_is_kept_as_far_as_it_is_bounded(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch, claimed: int | None
) -> None:
    monkeypatch.setenv("PORTARIA_MAX_MAIL_BYTES", "2000")
    settings.cache_clear()
    large, small = mail(1, text="x" * 5000), mail(2)
    server.deliver(large)
    server.deliver(small)
    if claimed:
        server.sizes = {1: claimed}
    declare(mailbox(server))
    head = large.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    kept = head if claimed == 10 else large[:2000]
    with watching():
        arrives(kept, small)
    facts = events()[0].envelope["facts"]
    assert facts["truncated"] is True
    assert facts["size"] == (
        claimed if claimed and claimed > len(large) else len(large) if claimed else 5000 + len(head) + 2
    )
    found = parsed(events()[0])
    assert (found.emails, found.title) == (("maria1@client.test",), "Message 1")
    assert found.message == "x" * (len(kept) - len(head))
    assert found.extra["truncated"] is True


def test_a_refused_sign_in_is_said_aloud_and_not_repeated_soon(server: ImapServer) -> None:
    server.refusal = "NO [AUTHENTICATIONFAILED] wrong password"
    declare(mailbox(server))
    with watching():
        wait_for(lambda: "wrong password" in state(), 5, "the refusal is not noted")
        time.sleep(0.3)
    assert state() == "stopped: sign-in refused: [AUTHENTICATIONFAILED] wrong password"
    assert PASSWORD not in state()
    assert server.asked("LOGIN") == 1


@pytest.mark.parametrize("answer", ["NO [UNAVAILABLE] later", "* BYE overloaded"])
def test_a_sign_in_that_fails_for_a_moment_is_tried_again_soon(server: ImapServer, answer: str) -> None:
    server.refusal = answer
    server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        wait_for(lambda: server.asked("LOGIN") >= 2, 5, "it is not tried again")
        server.refusal = ""
        arrives(mail(1))


def test_a_folder_that_does_not_exist_is_named(server: ImapServer) -> None:
    declare(mailbox(server, folder="Vendas"))
    with watching():
        wait_for(lambda: position("Vendas"), 5, "it is not noted")
    found = position("Vendas")
    assert found is not None
    assert "the folder 'Vendas' cannot be opened" in found.state


def test_a_name_and_a_password_beyond_ascii_can_sign_in(server: ImapServer) -> None:
    server.deliver(mail(1))
    declare(mailbox(server, username="usuário", password="pässwörd"))
    with watching():
        arrives(mail(1))


# The journal and the lease


@pytest.mark.parametrize("error", [Unavailable("away"), RuntimeError("a mistake of ours")])
def test_what_could_not_be_journalled_comes_later(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    append = journal.append
    failing = threading.Event()
    failing.set()

    def sometimes(*args: Any) -> Any:
        receipts = append(*args)
        if failing.is_set():
            raise error
        return receipts

    monkeypatch.setattr(journal, "append", sometimes)
    server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        wait_for(lambda: "interrupted" in state(), 5, "the failure is not noted")
        found = position()
        assert found is not None
        assert (found.last_uid, bodies()) == (0, [])
        failing.clear()
        arrives(mail(1))
        wait_for(lambda: state() == "watching", 5, "its end is not noted")


def test_an_outage_of_days_does_not_end_the_watching(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = folder.FolderWatcher.__init__

    def after_days(self: folder.FolderWatcher, *args: Any, **more: Any) -> None:
        begin(self, *args, **more)
        self._failures = 5000

    monkeypatch.setattr(folder.FolderWatcher, "__init__", after_days)
    server.deliver(mail(1))
    server.cuts.append(10)
    declare(mailbox(server))
    with watching():
        arrives(mail(1))
        wait_for(lambda: state() == "watching", 5, "its end is not noted")
    assert server.accepted == 2


def test_how_it_stands_is_noted_later_where_it_could_not_be_noted_at_once(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = desk.note
    lost: list[str] = []

    def sometimes(session: Any, source_id: int, state: str, error: str = "") -> None:
        if state == desk.WATCHING and len(lost) < 3:
            lost.append(state)
            raise Unavailable("away")
        note(session, source_id, state, error)

    monkeypatch.setattr(desk, "note", sometimes)
    server.cuts.append(10)
    server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        arrives(mail(1))
        wait_for(lambda: state() == "watching", 5, "it is not noted")
    assert len(lost) == 3


def test_the_same_message_again_is_one_event_and_a_reused_message_id_another(server: ImapServer) -> None:
    first, other = mail(1, message_id="<same@x>"), mail(2, message_id="<same@x>")
    for raw in (first, other, first):
        server.deliver(raw)
    declare(mailbox(server))
    with watching():
        arrives(first, other)
        wait_until_idle(server)
        server.deliver(first)
        server.deliver(mail(3))
        arrives(first, other, mail(3))


def test_of_two_watchers_one_reads_and_the_other_follows_when_it_is_gone(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(mailbox(server))
    with watching() as second:
        wait_until_idle(server)
        with monkeypatch.context() as patched:
            patched.setattr(right.Right, "give_back", lambda _: None)  # as if it were killed
            with watching() as first:
                server.deliver(mail(1))
                arrives(mail(1))
                time.sleep(0.3)
                assert server.accepted == 1
                # The one that holds it ends without a word.
                holder, rest = (first, second) if first._right.held() else (second, first)
                holder.stop.set()
                began = time.monotonic()
                wait_for(lambda: not server.idling(), 3, "it does not end")
                server.deliver(mail(2))
                arrives(mail(1), mail(2), within=lease.TERM.total_seconds() + 2)
                assert time.monotonic() - began < lease.TERM.total_seconds() + 2
                assert rest._right.held()


def test_a_watcher_that_lost_its_lease_in_its_sleep_cannot_write(server: ImapServer) -> None:
    server.deliver(mail(1))
    server.silent_at = {"UID FETCH"}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: server.asked("UID FETCH"), 5, "it does not fetch")
        with db.unit_of_work() as session:
            (row,) = session.scalars(select(Lease)).all()
            row.holder, row.expires_at = "elsewhere", clock.now() + timedelta(hours=1)
        server.silent_at = set()
        server.speak.set()
        wait_for(lambda: server.asked("UID FETCH") == 2, 5, "it does not go on")
        wait_for(lambda: not server.sessions, 5, "it does not give up")
        assert bodies() == []
        found = position()
        assert found is not None
        assert found.last_uid == 0
        with db.unit_of_work() as session:
            (row,) = session.scalars(select(Lease)).all()
            row.expires_at = clock.now() - timedelta(seconds=1)
        arrives(mail(1))


def test_a_watcher_that_lost_its_lease_while_opening_the_folder_does_not_touch_the_position(
    server: ImapServer,
) -> None:
    server.deliver(mail(1))
    server.silent_at = {"EXAMINE"}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: server.asked("EXAMINE"), 5, "it does not open the folder")
        with db.unit_of_work() as session:
            (row,) = session.scalars(select(Lease)).all()
            row.holder, row.expires_at = "elsewhere", clock.now() + timedelta(hours=1)
        server.silent_at = set()
        server.speak.set()
        wait_for(lambda: not server.sessions, 5, "it does not give up")
    found = position()
    assert found is None or found.uidvalidity is None
    assert server.asked("UID SEARCH") == 0


def test_what_comes_in_is_counted(server: ImapServer) -> None:
    def counted() -> tuple[float, ...]:
        return tuple(c.labels("email")._value.get() for c in (ACCEPTED, REPEATED))

    before = counted()
    for raw in (mail(1), mail(2), mail(1)):
        server.deliver(raw)
    declare(mailbox(server))
    with watching():
        arrives(mail(1), mail(2))
        wait_until_idle(server)
        server.drop()
        wait_for(lambda: server.accepted == 2, 5, "it does not come back")
        wait_until_idle(server)
    assert counted() == (before[0] + 2, before[1] + 1)  # and none was fetched again


def test_a_watcher_with_an_old_position_cannot_move_it_back(server: ImapServer) -> None:
    for n in (1, 2):
        server.deliver(mail(n))
    server.silent_at = {"UID FETCH"}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: server.asked("UID FETCH"), 5, "it does not fetch")
        with db.unit_of_work() as session:  # another one read all, under another UIDVALIDITY, and is gone
            (row,) = session.scalars(select(MailboxPosition)).all()
            assert row.uidvalidity is not None
            row.uidvalidity, row.last_uid = row.uidvalidity + 1, 1
        server.uidvalidity = 8
        server.silent_at = set()
        server.speak.set()
        arrives(mail(2))


def test_fetching_longer_than_the_lease_lasts_does_not_lose_it(server: ImapServer) -> None:
    server.deliver(mail(1))
    server.silent_at = {"UID SEARCH"}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: server.asked("UID SEARCH"), 5, "it does not search")
        with db.reading() as session:
            before = session.scalars(select(Lease)).one().expires_at
        time.sleep(1.6)
        with db.reading() as session:
            assert session.scalars(select(Lease)).one().expires_at > before
        server.speak.set()
        arrives(mail(1))


def test_watching_follows_the_workspace(server: ImapServer) -> None:
    with ImapServer() as second, ImapServer() as third:
        declare(mailbox(server))
        stop = threading.Event()
        with running(watch.watch_all, stop, stop):
            wait_until_idle(server)
            configure(mailboxes=mailbox(server) + mailbox(second, "other"))
            wait_until_idle(second)
            second.deliver(mail(1))
            arrives(mail(1))
            assert server.accepted == 1  # the one that did not change was left alone
            configure(mailboxes=mailbox(server) + mailbox(third, "other"))
            wait_until_idle(third)
            wait_for(lambda: not second.sessions, 5, "the old server is still watched")
            third.deliver(mail(2))
            arrives(mail(1), mail(2))
            configure(mailboxes=mailbox(server))
            wait_for(lambda: not third.sessions, 5, "what was taken out is still watched")
            server.deliver(mail(3))
            arrives(mail(1), mail(2), mail(3))
        assert not server.sessions


def test_a_watcher_that_is_told_to_stop_says_goodbye_and_frees_the_mailbox(server: ImapServer) -> None:
    declare(mailbox(server))
    with watching():
        wait_until_idle(server)
    assert server.commands[-1] == "LOGOUT"
    with watching():
        wait_for(lambda: server.accepted == 2, 1, "the lease was not given back")


# TLS


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "cert.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_over_tls_a_message_is_in_the_journal_at_once(tls: ssl.SSLContext, security: str) -> None:
    with ImapServer(**{security: tls}) as server:
        # What stands in the clear behind the answer to STARTTLS is nobody's word.
        server.starttls_extra = b"* BYE go away\r\n"
        declare(mailbox(server, security=security))
        with watching():
            wait_until_idle(server)
            large = mail(1, text="x" * 100_000)
            server.deliver(large)
            arrives(large, within=1.5)
            wait_until_idle(server)
            server.drop()
            server.deliver(mail(2))
            arrives(large, mail(2), within=1.5)
            server.once["IDLE"] = lambda: server.deliver(mail(4))
            server.deliver(mail(3))
            arrives(large, mail(2), mail(3), mail(4), within=1.5)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    tls: ssl.SSLContext, security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    with ImapServer(**{security: tls}) as server:
        declare(mailbox(server, security=security))
        with watching():
            wait_for(lambda: "CERTIFICATE_VERIFY_FAILED" in state(), 5, "it is not noted")
        assert server.asked("LOGIN") == 0


def test_a_server_without_starttls_is_not_told_the_password(server: ImapServer) -> None:
    declare(mailbox(server, security="starttls"))
    with watching():
        wait_for(lambda: "STARTTLS" in state(), 5, "it is not noted")
    assert server.asked("LOGIN") == 0
