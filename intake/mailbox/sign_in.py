"""Signing in: by password or by token, and telling a refusal from a trouble that passes."""

from __future__ import annotations

from collections.abc import Callable

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from intake.mailbox.settings import MailboxSettings
from intake.mailbox.wire import Client

#: Gives an access token; a new one where the last was refused.
Token = Callable[[bool], str]
#: RFC 5530, and what large providers say instead of it.
_PASSING = (
    "[UNAVAILABLE]",
    "[INUSE]",
    "[LIMIT]",
    "[SERVERBUG]",
    "[OVERQUOTA]",
    "TOO MANY",
    "SIMULTANEOUS",
    "TEMPORAR",
    "TRY AGAIN",
    "THROTTLE",
)


def sign_in(server: Client, mailbox: MailboxSettings, token: Token | None) -> None:
    """Raises LoginError where it is refused, another error where that may pass."""
    try:
        if mailbox.password is not None:
            _by_password(server, mailbox.username, mailbox.password.get_secret_value())
        elif token is not None:
            _by_token(server, mailbox.username, token)
    except LoginError as error:
        # It is called so whatever went wrong, also where the connection was lost.
        said = str(error).upper()
        if isinstance(error.__context__, IMAPClientAbortError) or any(word in said for word in _PASSING):
            raise IMAPClientAbortError(str(error)) from None
        raise


def _by_password(server: Client, username: str, password: str) -> None:
    if username.isascii() and password.isascii():
        server.login(username, password)
    else:
        server.plain_login(username, password)  # in UTF-8 (RFC 4616); LOGIN has no charset


def _by_token(server: Client, username: str, token: Token) -> None:
    given = token(False)
    try:
        _xoauth2(server, username, given)
    except LoginError as error:
        if isinstance(error.__context__, IMAPClientAbortError):
            raise
        _xoauth2(server, username, token(True))  # it may have been withdrawn before its time


def _xoauth2(server: Client, username: str, token: str) -> None:
    """Google's 'OAuth 2.0 Mechanism': a refusal comes as a challenge, which is answered with nothing."""
    answers = iter([f"user={username}\1auth=Bearer {token}\1\1"])
    try:
        server.authenticate("XOAUTH2", lambda _: next(answers, ""))
    except IMAPClientError as error:
        raise LoginError(str(error)) from error
