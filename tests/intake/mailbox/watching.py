"""A watcher in a thread, the mailbox it is to watch, and what it has put into the journal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import undefer

from core import db
from intake import sources
from intake.mailbox import watch
from models.inbound import InboundEvent
from models.mailbox import MailboxPosition, WatchedMailbox
from models.source import Channel
from tests.factories import configure
from tests.servers.mail import PASSWORD, USER
from tests.servers.port import wait_for


class HasPort(Protocol):
    """An IMAP server on loopback."""

    port: int


def mail(n: int | str, *, message_id: str = "", text: str = "Quanto custa?") -> bytes:
    return (
        f"From: Maria <maria{n}@client.test>\r\nSubject: Message {n}\r\n"
        f"Message-ID: {message_id or f'<{n}@client.test>'}\r\n\r\n{text}\r\n"
    ).encode()


def mailbox(server: HasPort, key: str = "sales", **more: Any) -> str:
    values = {
        "security": "none",
        "username": USER,
        "password": PASSWORD,
        "poll_seconds": 60,
        "since": "all",
    } | more
    rest = ", ".join(f"{name}: {value}" for name, value in values.items() if value is not None)
    return f"  - {{key: {key}, host: 127.0.0.1, port: {server.port}, {rest}}}\n"


def declare(*mailboxes: str) -> None:
    if mailboxes:
        configure(mailboxes="".join(mailboxes))
    else:
        configure(mailboxes="  []")
    sources.forget()


@contextmanager
def watching(key: str = "sales") -> Iterator[watch.Watcher]:
    source = sources.book().sources[(Channel.EMAIL, key)]
    stop = threading.Event()
    watcher = watch.Watcher(source, stop)
    with running(watcher.run, stop):
        yield watcher


@contextmanager
def running(what: Any, stop: threading.Event, *args: Any) -> Iterator[None]:
    thread = threading.Thread(target=what, args=args, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def events() -> list[InboundEvent]:
    with db.reading() as session:
        return list(
            session.scalars(
                select(InboundEvent).order_by(InboundEvent.id).options(undefer(InboundEvent.body))
            )
        )


def bodies() -> list[bytes]:
    return [event.body for event in events()]


def position(folder: str = "INBOX") -> MailboxPosition | None:
    with db.reading() as session:
        return session.scalars(select(MailboxPosition).where(MailboxPosition.folder == folder)).one_or_none()


def state() -> str:
    with db.reading() as session:
        found = session.scalars(select(WatchedMailbox)).first()
    return f"{found.state}: {found.error}".removesuffix(": ") if found else ""


def arrives(*wanted: bytes, within: float = 5) -> None:
    """Exactly these are in the journal, in this order, and it stays so."""
    try:
        wait_for(lambda: len(bodies()) >= len(wanted), within, "not all messages are in the journal")
    finally:
        assert bodies() == list(wanted)
