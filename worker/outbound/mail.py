"""An order as a message: headers, text and HTML, files. What must not stand in a header never gets there."""

from __future__ import annotations

import io
from email.errors import MessageError
from email.generator import BytesGenerator
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8

from core import clock, storage
from core.errors import NotFound, Permanent, Retry, Unavailable
from crm import calendar_file, thread_token
from rules.order import MailOrder
from worker.outbound.account import Account


def compose(order: MailOrder, account: Account, *, sender_name: str) -> EmailMessage:
    """The message. Its Message-ID follows from the order alone (RFC 5322 section 3.6.4).

    Raises Permanent for what must not stand in a header, Retry where a file cannot be had now.
    """
    name = order.from_name or sender_name
    told = (order.to, *order.cc, order.subject, account.sender, name, order.in_reply_to, order.unsubscribe)
    for value in (*told, *order.references, *(f.name for f in order.files)):
        # The running Python may lack the fix of CVE-2026-1299, so no line break gets that far. Beyond ASCII
        # Unicode has line ends of its own, which some programs take for one.
        if any(ord(c) < 32 or ord(c) == 127 or c in "\x85\u2028\u2029" for c in value):
            raise Permanent("a control character in a mail header")
    # Beyond ASCII an address has no other way to be written (RFC 6532).
    plain = all(address.isascii() for address in (order.to, *order.cc, account.sender))
    message = EmailMessage(policy=SMTP_POLICY if plain else SMTPUTF8)
    try:
        _address(message, order, account, name)
    except (ValueError, MessageError) as error:
        raise Permanent(f"this cannot stand in a mail's header: {error}") from None
    # Not every server takes eight bits (RFC 6152).
    message.set_content(order.text, cte="quoted-printable")
    if order.html:
        message.add_alternative(order.html, subtype="html", cte="quoted-printable")
    if order.calendar:
        # RFC 6047: the method stands beside the type, as in the calendar itself.
        method = "CANCEL" if "\r\nMETHOD:CANCEL\r\n" in order.calendar else "REQUEST"
        calendar = order.calendar
        if account.answers is not None:  # the mailbox that we watch
            calendar = calendar_file.answered_at(calendar, account.answers)
        message.add_alternative(
            calendar, subtype="calendar", params={"method": method}, cte="quoted-printable"
        )
    for file in order.files:
        kind, _, subtype = file.kind.partition("/")
        message.add_attachment(
            _content(file.place),
            maintype=kind or "application",
            subtype=subtype or "octet-stream",
            filename=file.name,
        )
    return message


def _address(message: EmailMessage, order: MailOrder, account: Account, name: str) -> None:
    message["From"] = _mailbox(account.sender, name)
    message["To"] = _mailbox(order.to)
    if order.cc:
        message["Cc"] = [_mailbox(address) for address in order.cc]
    message["Subject"] = order.subject
    message["Date"] = order.date or clock.now()
    message["Message-ID"] = thread_token.message_id(order.message_id)
    if account.answers is not None:
        answers = account.answers
        if account.plus:
            answers = thread_token.answer_address(answers, order.message_id)
        if answers != account.sender:
            message["Reply-To"] = _mailbox(answers)
    if order.in_reply_to:
        message["In-Reply-To"] = order.in_reply_to
    if order.references:
        message["References"] = " ".join(order.references)
    if order.automatic:
        message["Auto-Submitted"] = order.automatic
    if order.unsubscribe:
        # RFC 2369 and RFC 8058: programs may offer it as a button, which posts.
        message["List-Unsubscribe"] = f"<{order.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _mailbox(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def raw(message: EmailMessage) -> bytes:
    """The message as it goes over the wire, with CRLF."""
    written = io.BytesIO()
    BytesGenerator(written, policy=message.policy).flatten(message)
    return written.getvalue()


def _content(place: str) -> bytes:
    try:
        return storage.get(place)
    except Unavailable as error:
        raise Retry(str(error)) from None
    except NotFound:
        raise Permanent("a file that was to be sent along is not there any more") from None
