"""Mail out: over SMTP, or, where none is configured, into files that a person can open."""

from __future__ import annotations

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from core import clock
from core.errors import Permanent, Retry
from core.ids import digest
from core.settings import settings
from rules.order import MailOrder

_SECONDS = 20


def send(order: MailOrder, *, sender_name: str) -> str:
    """Sends the mail and says so in words.

    Raises Retry for failures that may pass (4xx, no answer), Permanent for the others (5xx).
    """
    message = compose(order, sender_name=sender_name)
    url = settings().smtp_url.get_secret_value()
    if not url:
        return _keep(message)
    _deliver(urlsplit(url), message, order.to)
    return f"E-mail sent: {order.subject}"


def compose(order: MailOrder, *, sender_name: str) -> EmailMessage:
    """The message. Its Message-ID follows from the order alone (RFC 5322 section 3.6.4).

    Raises Permanent for what must not stand in a header.
    """
    sender = settings().mail_from or f"no-reply@{urlsplit(settings().address).hostname or 'localhost'}"
    for value in (order.to, order.subject, sender, sender_name):
        # The running Python may lack the fix of CVE-2026-1299, so no line break gets that far.
        if any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise Permanent("a control character in a mail header")
    local, _, domain = sender.rpartition("@")
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = Address(sender_name, local, domain)
    message["To"] = order.to
    message["Subject"] = order.subject
    message["Date"] = clock.now()
    message["Message-ID"] = message_id(order)
    message["Auto-Submitted"] = "auto-generated"
    # Not every server takes eight bits (RFC 6152).
    message.set_content(order.text, cte="quoted-printable")
    return message


def message_id(order: MailOrder) -> str:
    """The Message-ID of an order: the same at each attempt."""
    host = urlsplit(settings().address).hostname or "localhost"
    return f"<{digest(order.message_id)[:40]}.portaria@{host}>"


def _keep(message: EmailMessage) -> str:
    folder = settings().data_dir / "outbox"
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(folder) / (digest(str(message["Message-ID"]))[:32] + ".eml")
    file.write_bytes(message.as_bytes())
    return f"E-mail written to {file.name}, because no SMTP_URL is set: {message['Subject']}"


def _deliver(url: SplitResult, message: EmailMessage, to: str) -> None:
    secure = url.scheme == "smtps"
    port = url.port or (465 if secure else 587)
    host = url.hostname or ""
    context = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=context)
            if secure
            else smtplib.SMTP(host, port, timeout=_SECONDS)
        ) as server:
            server.ehlo()
            if not secure and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            if url.username:
                if not (secure or server.has_extn("auth")):
                    raise Permanent("the mail server offers no sign-in")
                server.login(unquote(url.username), unquote(url.password or ""))
            server.send_message(message, to_addrs=[to])
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        _refused(code, words)
    except smtplib.SMTPResponseException as error:
        _refused(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        raise Retry(f"the mail server did not take it: {type(error).__name__}: {error}") from None


def _refused(code: int, words: bytes | str) -> None:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    answer = f"the mail server answered {code} {' '.join(text.split())[:300]}"
    if 500 <= code < 600:
        raise Permanent(answer) from None
    raise Retry(answer) from None
