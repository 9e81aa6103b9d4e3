"""A message that the server would not give, asked for once more because somebody replays its event."""

from __future__ import annotations

from imaplib import IMAP4

from imapclient.exceptions import LoginError

from core.errors import Permanent, Retry, Unavailable
from intake import sources
from intake.errand import MessagePlace
from intake.mailbox.connection import Connection
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.tokens import Tokens
from intake.mailbox.troubles import words
from models.source import Channel


def fetch(place: MessagePlace) -> bytes:
    """The message. Raises Retry where trying again may help, Permanent where it is not there any more."""
    source = sources.book().sources.get((Channel.EMAIL, place.mailbox))
    if source is None:
        raise Permanent(f"the mailbox '{place.mailbox}' is not in use any more")
    try:
        settings = source.read(MailboxSettings)
        token = Tokens(source.id, settings.oauth).get if settings.oauth is not None else None
        with Connection(settings, place.folder, token) as server:
            if server.open().uidvalidity != place.uidvalidity:
                raise Permanent(
                    "the folder's messages have other numbers now; it came in anew if it is there"
                )
            found = server.fetch([place.uid])
    except LoginError as error:
        raise Retry(f"sign-in refused: {words(error)}") from None
    except (IMAP4.error, OSError, Unavailable) as error:
        raise Retry(f"the server would not give it: {words(error)}") from None
    if not found or not found[0].body:
        raise Permanent("it is not in the folder any more")
    return found[0].body
