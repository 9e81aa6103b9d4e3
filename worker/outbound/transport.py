"""SMTP (RFC 5321): connections that are kept for the next mail, and failures told apart."""

from __future__ import annotations

import smtplib
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address

from imapclient.exceptions import IMAPClientAbortError, LoginError

from core import clock
from core.errors import Permanent, Retry
from intake.mailbox.sign_in import Token
from worker.outbound.account import Server

#: Seconds in which a server must answer; after the content some look for viruses first (RFC 5321, 4.5.3.2.6).
_SECONDS = 20
_CONTENT_SECONDS = 30
#: Nothing is handed over later than this after the beginning: by then another worker would soon try, too.
_LATEST_SECONDS = 25.0
#: A connection is used again within so many seconds, and for so many mails at most.
_KEPT_SECONDS = 20.0
_MOST_MAILS = 50
_MOST_KEPT = 4


class _Line:
    """A connection that is signed in."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        self.smtp = smtp
        self.mails = 0
        self.used_at = clock.monotonic()
        self.began = self.used_at

    def hang_up(self) -> None:
        with suppress(smtplib.SMTPException, OSError):
            self.smtp.quit()
        with suppress(OSError):
            self.smtp.close()

    def answers(self) -> bool:
        """Whether it can be used again."""
        if self.mails >= _MOST_MAILS or clock.monotonic() - self.used_at > _KEPT_SECONDS:
            return False
        try:
            return self.smtp.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False


_kept: dict[Server, list[_Line]] = {}
_guard = threading.Lock()


def deliver(server: Server, sender: str, recipients: Sequence[str], content: bytes) -> None:
    """Hands the mail over to the server.

    Raises Permanent where the server will never take it (5xx), Retry otherwise: 4xx, no answer, a sign-in
    that is refused (somebody will mend that), a connection that was cut where it may have taken it already.
    """
    try:
        with _line(server) as line:
            _hand_over(line, sender, recipients, content)
    except smtplib.SMTPAuthenticationError as error:
        raise Retry(
            f"the mail server refuses the sign-in: {_words(error.smtp_code, error.smtp_error)}"
        ) from None
    except smtplib.SMTPResponseException as error:
        _refused(error.smtp_code, error.smtp_error)
    except ssl.SSLCertVerificationError as error:
        raise Retry(f"the mail server's certificate is not trusted: {error.verify_message}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Retry(f"the mail server did not take it: {type(error).__name__}: {error}") from None


@contextmanager
def _line(server: Server) -> Iterator[_Line]:
    """A connection, given back afterwards where it still stands."""
    began = clock.monotonic()
    line = _take(server) or _Line(_connect(server))
    line.began = began
    try:
        yield line
    except BaseException:
        line.hang_up()
        raise
    line.mails, line.used_at = line.mails + 1, clock.monotonic()
    with _guard:
        kept = _kept.setdefault(server, [])
        if len(kept) < _MOST_KEPT:
            kept.append(line)
            return
    line.hang_up()


def _take(server: Server) -> _Line | None:
    while True:
        with _guard:
            kept = _kept.get(server)
            if not kept:
                return None
            line = kept.pop()
        if line.answers():
            return line
        line.hang_up()


def hang_up() -> None:
    """Ends the connections that nobody uses; for tests, and for who sends nothing for a while."""
    with _guard:
        lines = [line for kept in _kept.values() for line in kept]
        _kept.clear()
    for line in lines:
        line.hang_up()


def _connect(server: Server) -> smtplib.SMTP:
    try:
        return _connected(server, fresh=False)
    except smtplib.SMTPAuthenticationError as error:
        # The token may have been withdrawn before its time. Some servers hang up after a refusal.
        if server.token is None or error.smtp_code < 500:
            raise
    return _connected(server, fresh=True)


def _connected(server: Server, *, fresh: bool) -> smtplib.SMTP:
    context = ssl.create_default_context()
    smtp: smtplib.SMTP
    if server.security == "tls":
        smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=_SECONDS, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=_SECONDS)
    try:
        _secure(smtp, server, context)
        _sign_in(smtp, server, fresh=fresh)
    except BaseException:
        with suppress(OSError):
            smtp.close()
        raise
    return smtp


def _secure(smtp: smtplib.SMTP, server: Server, context: ssl.SSLContext) -> None:
    smtp.ehlo_or_helo_if_needed()
    if server.security == "starttls" or (server.security == "offered" and smtp.has_extn("starttls")):
        # Raises where it is not offered: what somebody on the way has taken out is not done without.
        smtp.starttls(context=context)
        smtp.ehlo()
    elif server.security == "offered" and server.username and not _is_here(server.host):
        raise Retry("the mail server offers no encryption, and a password is not sent without")


def _sign_in(smtp: smtplib.SMTP, server: Server, *, fresh: bool) -> None:
    if server.token is not None:
        _by_token(smtp, server.host, server.username, server.token, fresh=fresh)
    elif server.username:
        if not smtp.has_extn("auth"):
            raise Retry("the mail server offers no sign-in")
        smtp.login(server.username, server.password)


def _by_token(smtp: smtplib.SMTP, host: str, username: str, token: Token, *, fresh: bool) -> None:
    """Google's 'OAuth 2.0 Mechanism', which Microsoft 365 knows too: a refusal comes as a challenge."""
    if "XOAUTH2" not in smtp.esmtp_features.get("auth", "").upper().split():
        raise Retry("the mail server offers no sign-in by token (XOAUTH2)")
    if not isinstance(smtp.sock, ssl.SSLSocket) and not _is_here(host):
        raise Retry("the mail server offers no encryption, and a token is not sent without")
    try:
        given = token(fresh)
    except (LoginError, IMAPClientAbortError) as error:
        raise Retry(f"the mailbox's sign-in is refused: {error}") from None
    said = b64encode(f"user={username}\1auth=Bearer {given}\1\1".encode()).decode()
    code, answer = smtp.docmd("AUTH", f"XOAUTH2 {said}")
    if code == 334:
        code, answer = smtp.docmd("")  # what it says to nothing is the refusal itself
    if code not in (235, 503):
        raise smtplib.SMTPAuthenticationError(code, answer)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hand_over(line: _Line, sender: str, recipients: Sequence[str], content: bytes) -> None:
    smtp = line.smtp
    options = [f"SIZE={len(content)}"] if smtp.has_extn("size") else []
    if not all(address.isascii() for address in (sender, *recipients)):
        if not smtp.has_extn("smtputf8"):
            raise Permanent("the mail server takes no addresses beyond ASCII (RFC 6531)")
        options.append("SMTPUTF8")
        smtp.command_encoding = "utf-8"
    _expect(smtp.mail(sender, options))
    for address in recipients:
        _expect(smtp.rcpt(address))
    _expect(smtp.docmd("DATA"), 354)
    _send_content(line, content)


def _send_content(line: _Line, content: bytes) -> None:
    smtp = line.smtp
    sock = smtp.sock
    if sock is not None:
        sock.settimeout(_CONTENT_SECONDS)
    # A line that begins with a point begins with two (RFC 5321 section 4.5.2).
    stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
    end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
    smtp.send(stuffed)
    if clock.monotonic() - line.began > _LATEST_SECONDS:
        raise Retry("the mail server is too slow")
    try:
        smtp.send(end)
        answer = smtp.getreply()
    except (smtplib.SMTPServerDisconnected, TimeoutError, OSError) as error:
        raise Retry(
            "the connection was cut after the content: whether the mail server took it is unknown, so it is"
            f" sent again with the same Message-ID ({type(error).__name__})"
        ) from None
    _expect(answer)
    if sock is not None:
        sock.settimeout(_SECONDS)


def _expect(answer: tuple[int, bytes], code: int = 2) -> None:
    if answer[0] != code and answer[0] // 100 != code:
        raise smtplib.SMTPResponseException(*answer)


def _refused(code: int, words: bytes | str) -> None:
    answer = f"the mail server answered {_words(code, words)}"
    if 500 <= code < 600:
        raise Permanent(answer) from None
    raise Retry(answer) from None


def _words(code: int, words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return f"{code} {' '.join(text.split())[:300]}"
