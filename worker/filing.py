"""Lays a copy of what was sent into the mailbox's Sent folder: at least once, and looked for before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from imapclient.exceptions import IMAPClientError
from sqlalchemy import select, update

from core import clock, db
from core.errors import PortariaError
from core.logs import logger
from crm import workspace
from intake import sources
from intake.mailbox.connection import Connection
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.tokens import Tokens
from models.message import Message
from models.source import Channel
from worker import mailing
from worker.outbound import mail
from worker.outbound.account import account_for

log = logger(__name__)
_MOST = 20
#: After the last of these the copy is given up; the timeline has the mail anyway.
_WAITS = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 600))


def lay_down() -> int:
    """Lays down what is to be; says how many were tried."""
    with db.reading() as session:
        ids = session.scalars(
            select(Message.id).where(Message.file_at <= clock.now()).order_by(Message.file_at).limit(_MOST)
        ).all()
    for message_id in ids:
        _lay_down(message_id)
    return len(ids)


def _lay_down(message_id: int) -> None:
    with db.unit_of_work() as session:
        row = session.get(Message, message_id, with_for_update=True)
        if row is None or row.file_at is None or row.file_at > clock.now():
            return
        tries = row.file_tries
        row.file_tries += 1
        # Also if this process dies over it.
        row.file_at = clock.now() + _WAITS[tries] if tries < len(_WAITS) else None
        order, name = mailing.order_of(session, row), workspace.load(session).name
        key, sent_id = row.mailbox, row.message_id
        if row.sent_at is not None:
            order = replace(order, date=row.sent_at)
    try:
        _append(key, sent_id, mail.raw(mail.compose(order, account_for(key), sender_name=name)))
    except (PortariaError, IMAPClientError, OSError) as error:
        log.warning("mail.not_laid_down", message_id=message_id, mailbox=key, error=str(error)[:300])
        return
    with db.unit_of_work() as session:
        session.execute(update(Message).where(Message.id == message_id).values(file_at=None))


def _append(key: str | None, message_id: str, content: bytes) -> None:
    source = sources.book().sources.get((Channel.EMAIL, key or ""))
    settings = source.read(MailboxSettings) if source is not None else None
    if source is None or settings is None or settings.sent_folder is None:
        return  # the mailbox, or the wish, is gone
    token = Tokens(source.id, settings.oauth).get if settings.oauth is not None else None
    with Connection(settings, settings.sent_folder, token) as connection:
        server = connection.server
        if not server.folder_exists(settings.sent_folder):
            server.create_folder(settings.sent_folder)
        server.select_folder(settings.sent_folder, readonly=True)
        # Many providers lay down themselves what their own server has sent.
        if not server.search(["HEADER", "Message-ID", message_id]):
            server.append(settings.sent_folder, content, flags=(b"\\Seen",))
