"""Mail out: over SMTP, or, where no server is configured, into files that a person can open."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

from core.errors import TooEarly
from core.ids import digest
from core.settings import settings
from rules.order import MailOrder
from worker.outbound import allowance, transport
from worker.outbound.account import Account, account_for
from worker.outbound.mail import compose, raw


def send(order: MailOrder, *, sender_name: str) -> str:
    """Sends the mail and says so in words.

    Raises Retry for failures that may pass (4xx, no answer), Permanent for the others (5xx), TooEarly where
    as much has been sent as the mailbox may.
    """
    account = account_for(order.mailbox)
    message = compose(order, account, sender_name=sender_name)
    if account.server is None:
        return _keep(message)
    _check_rate(account)
    transport.deliver(account.server, account.sender, (order.to, *order.cc), raw(message))
    return f"E-mail sent: {order.subject}"


def _check_rate(account: Account) -> None:
    rate = allowance.exceeded(account.source_id, account.rate) if account.rate else None
    if rate is not None:
        raise TooEarly(f"waits: {account.sender} sends at most {rate}", after=timedelta(seconds=30))


def _keep(message: EmailMessage) -> str:
    folder = settings().data_dir / "outbox"
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(folder) / (digest(str(message["Message-ID"]))[:32] + ".eml")
    file.write_bytes(raw(message))
    return f"E-mail written to {file.name}, because no SMTP server is set: {message['Subject']}"
