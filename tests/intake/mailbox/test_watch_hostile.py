"""What nobody should send, between what everybody sends: one event each, and the watcher goes on."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from imapclient import SocketTimeout
from sqlalchemy import func, select

from core import db
from core.settings import settings
from intake.mailbox import connection, folder, right, watch
from models.inbound import EventState, InboundEvent
from tests.intake.mailbox.test_hostile import HOSTILE, read
from tests.intake.mailbox.watching import declare, events, mail, mailbox, state, watching
from tests.servers.imap import ImapServer
from tests.servers.port import wait_for
from worker import executor

HEAD = b"From: ana@client.test\r\nTo: sales@acme.test\r\nSubject: Hi\r\nMessage-ID: <%s@client.test>\r\n"
MB = 1024 * 1024


def dated(date: bytes) -> bytes:
    return HEAD % date[:7].strip().replace(b" ", b"") + b"Date: " + date + b"\r\n\r\nhi\r\n"


def large() -> bytes:
    """50 MB: a text, and a film in two pieces."""
    film = b"--x\r\nContent-Type: video/mp4; name=film.mp4\r\n\r\n" + (b"x" * 76 + b"\r\n") * (25 * MB // 78)
    text = b"--x\r\nContent-Type: text/plain\r\n\r\nSee the film.\r\n"
    head = HEAD % b"large" + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    return head + text + film + b"\r\n" + film + b"\r\n--x--\r\n"


MAILS: dict[str, bytes] = {
    **{
        name: HOSTILE[name]()
        for name in (
            *("a header of 1 MB", "a million recipients", "10000 attachments", "100 levels", "1000 levels"),
            *("only NULs", "NULs everywhere", "only half a header", "a charset that is none"),
        )
    },
    "no From and no Date": b"Subject: Hi\r\n\r\nhi\r\n",
    "1970": dated(b"Thu, 01 Jan 1970 00:00:00 +0000"),
    "2100": dated(b"Fri, 01 Jan 2100 00:00:00 +0000"),
    "a date that is none": dated(b"99 Nul 99999 99:99:99 +9999"),
    "invalid everything": b"\xff\xfe: \x80\r\nFrom: \xff@\xff\r\nDate: \xff\r\nMessage-ID: \x00\r\n\r\n\xff\xfe\x00",
    "50 MB": large(),
}


@pytest.fixture
def server(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImapServer]:
    for module in (folder, right, watch):
        monkeypatch.setattr(module, "RENEW_SECONDS", 0.3)
    monkeypatch.setattr(connection, "TIMEOUT", SocketTimeout(connect=5, read=20))
    with ImapServer() as made:
        yield made
    assert made.misuse == []


def test_whatever_comes_is_one_event_and_the_next_message_comes_too(server: ImapServer) -> None:
    for n, raw in enumerate(MAILS.values()):
        server.deliver(raw)
        server.deliver(mail(n))
    declare(mailbox(server))
    with watching():
        wait_for(lambda: came() == 2 * len(MAILS), 30, "not all are in the journal")
        server.deliver(mail("after all"))
        wait_for(lambda: came() == 2 * len(MAILS) + 1, 5, "the watcher does not go on")
    assert state() == "watching"
    assert server.accepted == 1
    # Of the large one no more than its text is asked for, and no event is larger than it may be.
    assert server.bytes_said < sum(len(raw) for raw in MAILS.values()) - len(MAILS["50 MB"]) + MB
    came_in = events()
    assert max(len(e.body) for e in came_in) <= settings().max_mail_bytes
    for row in came_in:
        executor.process_event(row.id)
    rows = events()
    assert [e.state for e in rows[1::2]] == [EventState.PROCESSED] * len(MAILS)
    for name, row in zip(MAILS, rows[::2], strict=False):
        assert row.state in (EventState.PROCESSED, EventState.FAILED), (name, row.state, row.error)
        assert (row.state is EventState.FAILED) == bool(row.error), name
    readable = {
        "a header of 1 MB",
        "10000 attachments",
        "100 levels",
        "1970",
        "2100",
        "a date that is none",
        "50 MB",
    }
    assert all(row.lead_id for name, row in zip(MAILS, rows[::2], strict=False) if name in readable)
    kept = rows[2 * list(MAILS).index("50 MB")]
    assert [f["name"] for f in kept.envelope["facts"]["left"]] == ["film.mp4", "film.mp4"]


def test_reading_a_file_takes_memory_in_proportion_to_its_size() -> None:
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    raw = HEAD % b"file" + head + (b"QUJD" * 19 + b"\r\n") * 20_000
    tracemalloc.start()
    try:
        read(raw)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(raw)
    finally:
        tracemalloc.stop()


def came() -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(InboundEvent)) or 0
