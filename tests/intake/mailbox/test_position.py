"""Where a mailbox begins, what is read late, what becomes of messages, and what a comparison finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from imapclient import SocketTimeout
from sqlalchemy import select

from core import clock, db
from core.settings import settings
from intake import journal
from intake.mailbox import connection, desk, folder, right, watch
from models.inbound import EventState, InboundEvent
from models.mailbox import MailboxMessage, MailboxPosition, WatchedMailbox
from models.source import Source
from tests.intake.mailbox.watching import (
    arrives,
    bodies,
    declare,
    events,
    mail,
    mailbox,
    position,
    state,
    watching,
)
from tests.servers.imap import ImapServer
from tests.servers.port import wait_for
from worker import executor


@pytest.fixture(autouse=True)
def short_waits(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_LONGEST_WAIT", 0.05)
    for module in (folder, right, watch):
        monkeypatch.setattr(module, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(connection, "TIMEOUT", SocketTimeout(connect=2, read=3))


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer() as made:
        yield made
    assert made.misuse == []


def said(ago: timedelta) -> str:
    return (clock.now() - ago).strftime("%d-%b-%Y %H:%M:%S +0000")


def idles(server: ImapServer) -> None:
    wait_for(server.idling, 5, "nobody idles")


def remembered() -> dict[int, str | None]:
    with db.reading() as session:
        return {m.uid: m.to_do for m in session.scalars(select(MailboxMessage))}


def reconciled(asked: object = None) -> dict[str, int]:
    """What the comparison that is asked for now finds."""
    with db.unit_of_work() as session:
        (source,) = session.scalars(select(Source).where(Source.channel == "email"))
        asked = desk.ask_reconciliation(session, source.id)

    def found() -> dict[str, int] | None:
        row = position()
        done = row is not None and row.reconciled_at is not None and row.reconciled_at >= asked
        return row.reconciliation if row is not None and done else None

    return wait_for(found, 5, "it is not compared")  # type: ignore[return-value]


# Where it begins


def test_a_fresh_mailbox_begins_an_hour_before_it_was_declared(server: ImapServer) -> None:
    server.deliver(mail("last year"), said(timedelta(days=400)))
    server.deliver(mail("this morning"), said(timedelta(hours=3)))
    server.deliver(mail("just now"), said(timedelta(minutes=5)))
    declare(mailbox(server, since=None))
    with watching():
        arrives(mail("just now"))
        idles(server)
        server.deliver(mail("dragged into it"), said(timedelta(days=30)))  # somebody wants it read
        arrives(mail("just now"), mail("dragged into it"))
    found = position()
    assert found is not None
    assert (found.last_uid, found.history_uid) == (4, 3)
    server.renumber()
    with watching():
        idles(server)
    assert len(bodies()) == 2


def test_since_a_day_or_all_takes_history_also_when_it_is_said_later(server: ImapServer) -> None:
    for days in (400, 10, 2):
        server.deliver(mail(days), said(timedelta(days=days)))
    day = (clock.now() - timedelta(days=5)).date()
    declare(mailbox(server, since=day))
    with watching():
        arrives(mail(2))
        idles(server)
    declare(mailbox(server, since="all"))
    with watching():
        arrives(mail(2), mail(400), mail(10))
        idles(server)
    declare(mailbox(server, since=None))
    with watching():
        idles(server)
    assert len(bodies()) == 3
    assert server.asked("UID FETCH 1:") + server.asked("UID FETCH 3 (BODY.PEEK[]") == 1  # once each


def test_a_mailbox_of_an_older_release_goes_on_where_it_was(server: ImapServer) -> None:
    for n in (1, 2):
        server.deliver(mail(n), said(timedelta(days=100)))
    declare(mailbox(server))
    with watching():
        arrives(mail(1), mail(2))
    with db.unit_of_work() as session:
        row = session.scalars(select(MailboxPosition)).one()
        row.since, row.history_uid = None, 0
        for table in (MailboxMessage, WatchedMailbox):
            session.query(table).delete()
    server.deliver(mail(3))
    declare(mailbox(server, since=None))
    with watching():
        arrives(mail(1), mail(2), mail(3))


# Gaps, folders, copies


def test_a_message_that_the_server_shows_late_is_not_passed_over(server: ImapServer) -> None:
    for n in (1, 2, 3):
        server.deliver(mail(n))
    server.late_uids = {2}
    declare(mailbox(server))
    with watching():
        arrives(mail(1), mail(3))
        idles(server)
        server.late_uids = set()
        arrives(mail(1), mail(3), mail(2), within=2)
        idles(server)
        server.deliver(mail(4))
        arrives(mail(1), mail(3), mail(2), mail(4), within=2)


def test_several_folders_are_watched_at_once_and_a_copy_in_both_is_one_message(server: ImapServer) -> None:
    server.deliver(mail(1))
    declare(mailbox(server, folders="[INBOX, Vendas]"))
    with watching():
        arrives(mail(1))
        wait_for(lambda: "the folder 'Vendas' cannot be opened" in state(), 5, "its trouble is hidden")
        idles(server)
        copy = b"Received: by another way\r\n" + mail(1)
        server.deliver(copy)
        server.deliver(mail(2))
        arrives(mail(1), mail(2))


def test_a_renamed_folder_begins_where_the_old_one_did(server: ImapServer) -> None:
    server.inboxes = {"Vendas"}
    server.deliver(mail(1), said(timedelta(minutes=1)))
    declare(mailbox(server, since=None, folder="Vendas"))
    with watching():
        arrives(mail(1))
        idles(server)
    with db.unit_of_work() as session:  # some days ago
        (row,) = session.scalars(select(MailboxPosition)).all()
        assert row.begins_at is not None
        row.begins_at -= timedelta(days=9)
    server.deliver(mail(2), said(timedelta(days=3)))
    server.inboxes = {"Sales"}
    declare(mailbox(server, since=None, folder="Sales"))
    with watching():
        arrives(mail(1), mail(2))


def test_another_folder_under_the_name_is_found_though_the_connection_stays(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_SAME_SECONDS", 0.1)
    server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        arrives(mail(1))
        idles(server)
        with server.lock:  # nothing is told of it, and its first number is one that was read
            server.uidvalidity += 1
            server.messages = [(1, mail(2))]
        arrives(mail(1), mail(2))


# What becomes of messages


@pytest.mark.parametrize("capabilities", ["MOVE UIDPLUS", "UIDPLUS", ""])
@pytest.mark.parametrize("after", ["seen", "delete", "'move:Lidas'"])
def test_what_is_journalled_is_dealt_with_as_the_workspace_says(
    server: ImapServer, after: str, capabilities: str
) -> None:
    server.writable, server.capabilities = True, capabilities
    for n in (1, 2):
        server.deliver(mail(n))
    server.bad_uids = {3}
    server.deliver(mail(3))
    declare(mailbox(server, after=after))
    with watching():
        wait_for(lambda: len(events()) == 3, 5, "they do not come")
        wait_for(lambda: remembered() == {1: None, 2: None, 3: None}, 5, "it is not dealt with")
        idles(server)
    left = [uid for uid, _ in server.messages]
    flags = {uid: server.flags.get(uid, set()) for uid in (1, 2, 3)}
    assert flags[3] == set()  # it is not in the journal
    if after == "seen":
        assert (left, flags[1]) == ([1, 2, 3], {"\\Seen"})
    elif capabilities:
        assert left == [3]
    else:
        assert (left, flags[1]) == ([1, 2, 3], {"\\Deleted"})  # nobody else's marks are expunged
    assert server.folders.get("Lidas", []) == ([mail(1), mail(2)] if "move" in after else [])


def test_what_was_not_done_before_the_process_died_is_done_later(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.writable = True
    server.deliver(mail(1))
    declare(mailbox(server, after="seen"))
    with monkeypatch.context() as patched:
        patched.setattr(folder.FolderWatcher, "_act", lambda *_: None)
        with watching():
            arrives(mail(1))
            idles(server)
    assert (server.flags, remembered()) == ({}, {1: "seen"})
    with watching():
        wait_for(lambda: server.flags == {1: {"\\Seen"}}, 5, "it is not made up for")
    assert len(bodies()) == 1


def test_what_is_not_wanted_any_more_is_not_done(server: ImapServer) -> None:
    server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        arrives(mail(1))
        idles(server)
    with db.unit_of_work() as session:
        session.scalars(select(MailboxMessage)).one().to_do = "delete"
    with watching():
        idles(server)
        wait_for(lambda: remembered() == {1: None}, 5, "it is not forgotten")
    assert [uid for uid, _ in server.messages] == [1]


def test_a_message_that_is_not_whole_in_the_journal_is_not_deleted(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTARIA_MAX_MAIL_BYTES", "2000")
    settings.cache_clear()
    server.writable = True
    server.deliver(mail(1, text="x" * 5000))
    server.deliver(mail(2))
    declare(mailbox(server, after="delete"))
    with watching():
        wait_for(lambda: [uid for uid, _ in server.messages] == [1], 5, "the small one is not deleted")
        idles(server)
    assert server.flags.get(1) is None


def test_of_a_large_message_the_texts_are_taken_and_what_is_attached_is_named(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTARIA_MAX_MAIL_BYTES", "20000")
    settings.cache_clear()
    head = b"From: Ana <ana@client.test>\r\nSubject: Plans\r\nMessage-ID: <large@client.test>\r\nMIME-Version: 1.0\r\n"
    raw = (
        head + b'Content-Type: multipart/mixed; boundary="out"\r\n\r\n--out\r\n'
        b'Content-Type: multipart/alternative; boundary="in"\r\n\r\n'
        b"--in\r\nContent-Type: text/plain\r\n\r\nSee the plans.\r\n"
        b"--in\r\nContent-Type: text/html\r\n\r\n<p>See the plans.</p>\r\n--in--\r\n"
        b'--out\r\nContent-Type: application/pdf; name="plans.pdf"\r\n'
        b'Content-Disposition: attachment; filename="plans.pdf"\r\n\r\n' + b"x" * 50_000 + b"\r\n--out--\r\n"
    )
    server.deliver(raw)
    declare(mailbox(server))
    with watching():
        wait_for(lambda: len(events()) == 1, 5, "it does not come")
    (event,) = events()
    facts = event.envelope["facts"]
    assert facts["left"] == [
        {
            "part": "2",
            "name": "plans.pdf",
            "content_type": "application/pdf",
            "size": 50_000,
            "encoding": "7bit",
        }
    ]
    assert (facts["truncated"], facts["size"]) == (True, len(raw))
    assert b"See the plans." in event.body
    assert b"<p>See the plans.</p>" in event.body
    assert len(event.body) < 1500
    assert server.asked("UID FETCH 1 (BODY.PEEK[]") == 0  # never all of it


# Stopped and woken


def test_a_stopped_mailbox_begins_anew_on_demand_and_with_other_settings(server: ImapServer) -> None:
    server.refusal = "NO [AUTHENTICATIONFAILED] no"
    server.deliver(mail(1))
    declare(mailbox(server))
    with watching() as watcher:
        wait_for(lambda: state().startswith("stopped: sign-in refused"), 5, "it does not stop")
        server.refusal = ""
        with db.unit_of_work() as session:
            desk.wake(session, watcher.source.id)
        arrives(mail(1))
        wait_for(lambda: state() == "watching", 5, "it is not noted")


def test_providers_that_say_too_many_connections_do_not_stop_the_mailbox(server: ImapServer) -> None:
    server.refusal = "NO [ALERT] Too many simultaneous connections. (Failure)"
    server.deliver(mail(1))
    declare(mailbox(server))
    with watching():
        wait_for(lambda: server.asked("LOGIN") >= 2, 5, "it is not tried again")
        server.refusal = ""
        arrives(mail(1))


def test_a_control_character_never_reaches_the_server(server: ImapServer) -> None:
    declare(mailbox(server))
    with watching():
        idles(server)
    made = connection.Connection(watch_settings(server), "INBOX")
    with made, pytest.raises(Exception, match="a control character in what"):
        made.server.wire.select("INBOX\r\nA1 DELETE INBOX")
    assert server.asked("A1") == server.asked("DELETE") == 0


def watch_settings(server: ImapServer) -> connection.MailboxSettings:
    return connection.MailboxSettings.model_validate(
        {
            "key": "x",
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "username": "sales",
            "password": "imap-secret",
        }
    )


# Comparing


def test_a_comparison_finds_what_was_missed_and_fetches_it(server: ImapServer) -> None:
    server.deliver(mail("old"), said(timedelta(days=90)))
    for n in range(4):
        server.deliver(mail(n), said(timedelta(minutes=2)))
    declare(mailbox(server, since=None))
    with watching():
        arrives(*(mail(n) for n in range(4)))
        idles(server)
        assert reconciled() == {
            "on_server": 5,
            "journalled": 4,
            "older": 1,
            "missing": 0,
            "missed": 0,
            "known": 0,
            "failed": 0,
            "gone": 0,
        }
        with db.unit_of_work() as session:  # as if two had been passed over, long ago
            lost = session.scalars(select(MailboxMessage).where(MailboxMessage.uid.in_((2, 3)))).all()
            for one in lost:
                session.delete(one)
            session.query(WatchedMailbox).filter().update({"last_message_at": None})
        with server.lock:  # one of the two with other content, so that it is new to the journal
            server.messages = [
                (uid, mail("missed") if uid == 2 else raw) for uid, raw in server.messages if uid != 5
            ]
        found = reconciled()
        assert found == {
            "on_server": 4,
            "journalled": 3,
            "older": 1,
            "missing": 2,
            "missed": 1,
            "known": 1,
            "failed": 0,
            "gone": 1,
        }
        assert bodies()[-1] == mail("missed")
        assert sorted(remembered()) == [2, 3, 4]


def test_replaying_a_message_that_was_set_aside_fetches_it_again(server: ImapServer) -> None:
    for n in (1, 2):
        server.deliver(mail(n))
    server.bad_uids = {1}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: len(events()) == 2, 10, "they do not come")
        idles(server)
    (aside,) = [e for e in events() if "fetch_error" in e.envelope["facts"]]
    executor.process_event(aside.id)
    assert stands(aside.id)[0] is EventState.FAILED
    for bad, wanted in (({1}, EventState.RECEIVED), (set[int](), EventState.PROCESSED)):
        server.bad_uids = bad
        with db.unit_of_work() as session:
            event = session.get_one(InboundEvent, aside.id)
            if event.state is EventState.FAILED:
                journal.replay(session, event)
            event.retry_at = clock.now()
        executor.process_event(aside.id)
        assert stands(aside.id)[0] is wanted
    assert stands(aside.id)[1] is not None
    assert bodies() == [mail(1), mail(2)]
    server.renumber()  # it is known by its content now
    with watching():
        idles(server)
    assert len(events()) == 2


def test_replaying_one_that_came_in_anew_meanwhile_makes_no_second_lead(server: ImapServer) -> None:
    server.deliver(mail(1))
    server.bad_uids = {1}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: len(events()) == 1, 10, "it does not come")
        idles(server)
    server.bad_uids = set()
    server.deliver(mail(1))
    with watching():
        wait_for(lambda: len(events()) == 2, 10, "it does not come")
        idles(server)
    aside = events()[0]
    for gone in (False, True):
        if gone:
            server.remove(1)
        with db.unit_of_work() as session:
            event = session.get_one(InboundEvent, aside.id)
            event.attempts = 0
            journal.replay(session, event)
        executor.process_event(aside.id)
        assert stands(aside.id)[0] is (EventState.FAILED if gone else EventState.IGNORED)


def stands(event_id: str) -> tuple[EventState, int | None]:
    with db.reading() as session:
        event = session.get_one(InboundEvent, event_id)
        return event.state, event.lead_id


def test_what_a_server_says_of_a_part_can_be_kept_whatever_it_is(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTARIA_MAX_MAIL_BYTES", "20000")
    settings.cache_clear()
    head = b"From: Ana <ana@client.test>\r\nSubject: Plans\r\nMIME-Version: 1.0\r\n"
    raw = (
        head + b'Content-Type: multipart/mixed; boundary="out"\r\n\r\n'
        b"--out\r\nContent-Type: text/plain\r\n\r\nSee the plans.\r\n"
        b'--out\r\nContent-Type: application/pdf; name="plans.pdf"\r\n'
        b'Content-Disposition: attachment; filename="plans.pdf"\r\n\r\n' + b"x" * 50_000 + b"\r\n--out--\r\n"
    )
    server.deliver(raw)
    server.odd_answers = {1: (b'"pdf" ("name" "plans.pdf")', b'{4}\r\np\0df ("name" {6}\r\na\0\xffb\rc)')}
    declare(mailbox(server))
    with watching():
        wait_for(lambda: len(events()) == 1, 5, "it does not come")
    (left,) = events()[0].envelope["facts"]["left"]
    assert left["content_type"] == "application/pdf"
