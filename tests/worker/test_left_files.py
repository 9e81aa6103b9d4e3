"""Files of a large mail: they stay on the server, are fetched once somebody asks, or refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from sqlalchemy import select

from core import clock, db, storage
from core.errors import Conflict, Permanent
from core.settings import settings
from crm import attachments
from intake.mailbox import again, connection, folder, right, watch
from models.attachment import Attachment
from tests.intake.mailbox.watching import declare, events, mail, mailbox, watching
from tests.servers.imap import ImapServer
from tests.servers.port import wait_for
from worker import executor, left_files
from worker.sweeper import Sweeper

PDF = b"%PDF-1.7\n" + b"a plan of the hall\n" * 2000


@pytest.fixture
def server(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImapServer]:
    for module in (folder, right, watch):
        monkeypatch.setattr(module, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(connection, "TIMEOUT", connection.SocketTimeout(connect=2, read=3))
    monkeypatch.setenv("PORTARIA_MAX_MAIL_BYTES", "20000")
    settings.cache_clear()
    with ImapServer() as made:
        yield made


def large() -> bytes:
    made = EmailMessage(policy=SMTP)
    made["From"], made["Subject"], made["Message-ID"] = (
        "Ana <ana@client.test>",
        "Plans",
        "<plans@client.test>",
    )
    made.set_content("See the plans.")
    made.add_attachment(PDF, maintype="application", subtype="pdf", filename="plans.pdf")
    made.add_attachment(b"MZ" + b"\0" * 20_000, maintype="application", subtype="pdf", filename="run.pdf")
    return made.as_bytes()


def taken_in(server: ImapServer) -> list[Attachment]:
    server.deliver(large())
    declare(mailbox(server))
    with watching():
        wait_for(lambda: len(events()) == 1, 5, "it does not come")
    executor.process_event(events()[0].id)
    return files()


def files() -> list[Attachment]:
    with db.reading() as session:
        return list(session.scalars(select(Attachment).order_by(Attachment.position)))


def ask(row: Attachment) -> None:
    with db.unit_of_work() as session:
        attachments.ask(session, session.get_one(Attachment, row.id))


def test_a_file_that_was_left_is_fetched_once_somebody_asks_for_it(
    server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intake.mailbox.fetching._PIECE", 7000)
    plans, runs = taken_in(server)
    assert (plans.name, plans.place, plans.refused) == ("plans.pdf", "", "left on the mail server")
    before = server.accepted
    left_files.fetch(plans.id)  # nobody has asked
    assert server.accepted == before
    ask(plans)
    ask(plans)
    assert Sweeper().left_files() == 1  # a ring that was lost costs seconds
    left_files.fetch(plans.id)
    left_files.fetch(plans.id)
    assert server.accepted == before + 1
    plans = files()[0]
    assert storage.get(plans.place) == PDF
    assert (plans.size, plans.kind, plans.refused, plans.left) == (len(PDF), "application/pdf", "", None)
    ask(runs)
    left_files.fetch(runs.id)
    runs = files()[1]
    assert (runs.place, runs.refused) == ("", "files of this kind are not taken")
    with pytest.raises(Conflict, match="files of this kind are not taken"):
        ask(runs)
    assert server.misuse == []


def test_it_is_found_again_under_another_number_and_refused_in_words_once_it_is_gone(
    server: ImapServer,
) -> None:
    plans, runs = taken_in(server)
    server.messages.insert(0, (0, mail(1)))
    server.renumber()
    ask(plans)
    left_files.fetch(plans.id)
    assert storage.get(files()[0].place) == PDF
    server.remove(2)
    ask(runs)
    left_files.fetch(runs.id)
    runs = files()[1]
    assert (runs.refused, runs.left, runs.fetch_at) == ("its mail is not in the folder any more", None, None)


def test_a_server_that_is_away_is_tried_again_and_not_for_ever(server: ImapServer) -> None:
    plans, _ = taken_in(server)
    ask(plans)
    server.refusal = "NO [UNAVAILABLE] later"
    now = clock.now()
    for hour in range(6):
        with clock.frozen(now + timedelta(hours=hour)):
            left_files.fetch(plans.id)
    assert server.asked("LOGIN") == 1 + 4
    row = files()[0]
    assert "[UNAVAILABLE] later" in row.refused
    assert (row.fetch_at, row.left is None) == (None, False)
    server.refusal = ""
    ask(row)
    left_files.fetch(row.id)
    assert storage.get(files()[0].place) == PDF


@pytest.mark.parametrize(
    ("raw", "encoding", "content"),
    [
        (b"QUJD\r\nREVG\r\n", "base64", b"ABCDEF"),
        (b"QUJD\r\nRE", "base64", b"ABCD"),
        (b"QU!J D\r\n", "base64", b"ABC"),
        (b"QUJDR", "base64", None),
        (b"a=3D\r\nb=\r\nc", "quoted-printable", b"a=\r\nbc"),
        (b"as it is\xff", "8bit", b"as it is\xff"),
        (b"as it is", "", b"as it is"),
    ],
)
def test_a_part_is_decoded_or_refused_in_words(raw: bytes, encoding: str, content: bytes | None) -> None:
    if content is None:
        with pytest.raises(Permanent, match="cannot be decoded"):
            again._decoded(raw, encoding)
    else:
        assert again._decoded(bytearray(raw), encoding) == content
