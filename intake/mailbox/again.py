"""What was not taken from a mail server, asked for once more because somebody wants it after all."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from imaplib import IMAP4
from typing import Any

from imapclient.exceptions import LoginError

from core.errors import Permanent, Retry, Unavailable
from crm.attachments import LARGEST_LEFT
from intake import sources
from intake.errand import MessagePlace
from intake.mailbox import fetching
from intake.mailbox.connection import Connection
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.tokens import Tokens
from intake.mailbox.troubles import words
from models.source import Channel

_GONE = "it is not in the folder any more"


def fetch(place: MessagePlace) -> bytes:
    """A message that the server would not give.

    Raises Retry where trying again may help, Permanent where it is not there any more.
    """

    def ask(server: Connection) -> bytes:
        if server.open().uidvalidity != place.uidvalidity:
            raise Permanent("the folder's messages have other numbers now; it came in anew if it is there")
        found = server.fetch([place.uid])
        if not found or not found[0].body:
            raise Permanent(_GONE)
        return found[0].body

    return _asked(place.mailbox, place.folder, ask)


def part(place: Mapping[str, Any]) -> bytes:
    """A file of a message that stayed on the server, decoded; `place` as `crm.submission.LeftFile` says it.

    Raises Retry where trying again may help, Permanent where it cannot be had.
    """

    def ask(server: Connection) -> bytes:
        uid = _uid(server, place)
        try:
            raw = fetching.part(server.server, uid, str(place["part"]), LARGEST_LEFT)
        except ValueError:
            raise Permanent("it is too large to be fetched") from None
        if raw is None:
            raise Permanent(_GONE)
        return _decoded(raw, str(place.get("encoding", "")))

    return _asked(str(place["mailbox"]), str(place["folder"]), ask)


def _decoded(raw: bytes | bytearray, encoding: str) -> bytes:
    """Not by the mail parser, which makes an object of each line: the file may be large."""
    if encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    if encoding != "base64":
        return bytes(raw)
    for missing in (b"", b"=", b"=="):  # what was cut off at its end
        try:
            return binascii.a2b_base64(raw + missing if missing else raw)
        except binascii.Error:
            continue
    raise Permanent("it cannot be decoded: it says to be base64")


def _uid(server: Connection, place: Mapping[str, Any]) -> int:
    """The message's number now: the one it had, or that of the message with its Message-ID and size."""
    uid, size = int(place["uid"]), int(place["message_size"] or 0)
    if server.open().uidvalidity == place["uidvalidity"] and server.standing([uid]):
        return uid
    message_id = str(place["message_id"])
    found = server.server.search(["HEADER", "Message-ID", message_id]) if message_id.isascii() else []
    same = [u for u, n in fetching.measure(server.server, sorted(found)[:100]).items() if n == size]
    if not message_id or not same:
        raise Permanent("its mail is not in the folder any more")
    return same[0]


def _asked(key: str, folder: str, ask: Callable[[Connection], bytes]) -> bytes:
    source = sources.book().sources.get((Channel.EMAIL, key))
    if source is None:
        raise Permanent(f"the mailbox '{key}' is not in use any more")
    try:
        settings = source.read(MailboxSettings)
        token = Tokens(source.id, settings.oauth).get if settings.oauth is not None else None
        with Connection(settings, folder, token) as server:
            return ask(server)
    except LoginError as error:
        raise Retry(f"sign-in refused: {words(error)}") from None
    except (IMAP4.error, OSError, Unavailable) as error:
        raise Retry(f"the server would not give it: {words(error)}") from None
