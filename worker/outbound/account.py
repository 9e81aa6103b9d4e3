"""From which address, and by which server, a mail goes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from core.errors import Retry, Unavailable
from core.settings import settings
from intake import sources
from intake.mailbox import tokens
from intake.mailbox.settings import MailboxSettings
from intake.mailbox.sign_in import Token
from models.source import Channel


@dataclass(frozen=True, slots=True)
class Server:
    """An SMTP server. With `security` "offered" the connection is encrypted where the server can do that.

    `token` gives an access token to sign in with instead of the password, a new one where it is told so.
    """

    host: str
    port: int
    security: str
    username: str = ""
    password: str = field(default="", repr=False)
    token: Token | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """Who sends. `server` is None where none is configured, `answers` where answers come to, if known.

    `plus` says that the address to answer to may carry a token behind a plus.
    """

    sender: str
    server: Server | None
    answers: str | None = None
    plus: bool = False
    mailbox: MailboxSettings | None = None
    rate: str | None = None
    source_id: int = 0


def account_for(mailbox: str | None) -> Account:
    """The account of this mailbox, else of the first that sends by itself, else of the first there is.

    Raises Retry where its secrets cannot be opened.
    """
    source_id, chosen = _chosen(mailbox) or (0, None)
    own = chosen.smtp if chosen is not None else None
    if chosen is None or own is None:
        sender = settings().mail_from or f"no-reply@{urlsplit(settings().address).hostname or 'localhost'}"
        answers = chosen.sender if chosen is not None else None
        plus = chosen is not None and chosen.plus_addresses
        return Account(sender, _common_server(), answers, plus, chosen)
    by_token = chosen.oauth if own.oauth else None
    server = Server(
        own.host,
        own.port or (465 if own.security == "tls" else 587),
        own.security,
        own.username or (chosen.username if by_token else ""),
        own.password.get_secret_value(),
        tokens.for_sending(source_id, by_token).get if by_token else None,
    )
    sender = chosen.sender or settings().mail_from
    if not sender:
        raise Retry(f"the mailbox '{chosen.key}' has no address to send from: set 'from' under its smtp")
    return Account(sender, server, sender, chosen.plus_addresses, chosen, own.rate, source_id)


def _chosen(key: str | None) -> tuple[int, MailboxSettings] | None:
    known = {box.key: (source_id, box) for source_id, box in _mailboxes()}
    if key is not None and key in known:
        return known[key]
    first = next(iter(known.values()), None)
    return next((one for one in known.values() if one[1].smtp is not None), first)


def _mailboxes() -> Iterator[tuple[int, MailboxSettings]]:
    for source in sorted(sources.book().of(Channel.EMAIL), key=lambda s: s.id):
        try:
            yield source.id, source.read(MailboxSettings)
        except Unavailable as error:
            raise Retry(str(error)) from None


def _common_server() -> Server | None:
    raw = settings().smtp_url.get_secret_value()
    if not raw:
        return None
    url = urlsplit(raw)
    secure = url.scheme == "smtps"
    return Server(
        url.hostname or "",
        url.port or (465 if secure else 587),
        "tls" if secure else "offered",
        unquote(url.username or ""),
        unquote(url.password or ""),
    )
