"""A copy of what was sent lies in the Sent folder, once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from imapclient import IMAPClient
from sqlalchemy import select

from core import clock, db
from crm import compose
from crm.compose import Draft
from crm.messages import Letter
from intake import sources
from models.lead import Lead
from models.message import Message
from tests.factories import WORKSPACE, configure, enquire
from tests.servers.mail import PASSWORD, USER, PymapServer, SmtpSink
from worker import filing, mailing
from worker.outbound import transport

MAILBOX = """
mailboxes:
  - key: sales
    host: 127.0.0.1
    port: {imap}
    security: none
    username: {user}
    password: {password}
    sent_folder: Sent
    smtp: {{host: 127.0.0.1, port: {smtp}, security: none, from: sales@acme.test}}
"""


@pytest.fixture(scope="module")
def imap() -> Iterator[PymapServer]:
    with PymapServer() as server:
        yield server


def copies(imap: PymapServer) -> list[bytes]:
    with IMAPClient("127.0.0.1", imap.port, ssl=False, timeout=10) as client:
        client.login(USER, PASSWORD)
        client.select_folder("Sent", readonly=True)
        found = client.fetch(client.search(), ["BODY.PEEK[]", "FLAGS"])
        return [one[b"BODY[]"] for one in found.values()]


@pytest.mark.usefixtures("database")
def test_a_copy_is_laid_down_once(imap: PymapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpSink() as sink:
        text = MAILBOX.format(imap=imap.port, smtp=sink.port, user=USER, password=PASSWORD)
        configure(WORKSPACE + text)
        sources.forget()
        with db.unit_of_work() as session:
            lead = session.get_one(Lead, enquire(session).lead.id)
            draft = Draft("maria@client.test", Letter("Your offer", "Here it is."))
            message_id = compose.write(session, lead, draft, key="k", actor="user:1", user=None).id
        mailing.send(message_id)
        transport.hang_up()
        with IMAPClient("127.0.0.1", imap.port, ssl=False, timeout=10) as client:
            client.login(USER, PASSWORD)
            if client.folder_exists("Sent"):  # then it is made
                client.delete_folder("Sent")
        before = 0
        assert filing.lay_down() == 1
        assert filing.lay_down() == 0
        laid = copies(imap)
        assert len(laid) == before + 1
        sent = sink.messages[0][1]
        own_id = next(line for line in sent.splitlines() if line.startswith(b"Message-ID"))
        assert own_id in laid[-1]
        # It was laid down, and the process died before that was written: it is found there.
        with db.unit_of_work() as session:
            session.get_one(Message, message_id).file_at = clock.now()
        assert filing.lay_down() == 1
        assert len(copies(imap)) == before + 1
        # The server is away: tried again later, and in the end given up.
        monkeypatch.setattr(filing, "_append", lambda *_: (_ for _ in ()).throw(OSError("away")))
        with db.unit_of_work() as session:
            session.get_one(Message, message_id).file_at = clock.now()
        now = clock.now()
        for hours in range(0, 200, 20):
            with clock.frozen(now + timedelta(hours=hours)):
                filing.lay_down()
        with db.reading() as session:
            row = session.scalars(select(Message)).one()
            assert (row.file_at, row.file_tries) == (None, 6)
