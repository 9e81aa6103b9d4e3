"""Shows the service at work: real enquiries through every way in that is configured."""

from __future__ import annotations

import base64
import hmac
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import format_datetime

import click
from imapclient import IMAPClient
from sqlalchemy import select

from boot.commands.configuration import begin
from core import clock, db
from core.errors import Invalid, Unavailable
from core.settings import settings
from crm.workspace import load
from intake import sources
from intake.calls.twilio import TwilioLine
from intake.mailbox.settings import MailboxSettings
from intake.sources import LoadedSource
from models.lead import Lead
from models.source import Channel
from models.timeline import TimelineEntry
from rules.explanation import explain

_PEOPLE = ("Maria Souza", "João Pereira", "Beatriz Alves", "Rafael Costa", "Camila Rocha", "Lucas Martins")
_SECONDS = 15.0


@click.command()
def demo() -> None:
    """Send one enquiry through each form, line and mailbox, and show what becomes of it.

    The service must be running. The people are made up (addresses under .test).

    \b
    Example: portaria demo
    """
    begin()
    ways = list(sources.book().sources.values())
    if not ways:
        raise Invalid("there is no way in yet: run 'portaria apply examples/workspace.yaml' first")
    with db.reading() as session:
        last = session.scalar(select(Lead.id).order_by(Lead.id.desc()).limit(1)) or 0
    sent = sum(1 for way in ways for _ in _send(way))
    _show(last, sent)


def _send(way: LoadedSource) -> Iterator[str]:
    name = random.choice(_PEOPLE)  # noqa: S311  a made-up person
    number = random.randrange(10_000_000, 99_999_999)  # noqa: S311
    if way.channel is Channel.FORM:
        values = {"name": name, "email": f"demo{number}@client.test", "message": "Can you send me an offer?"}
        _post(f"/in/forms/{way.key}", values, {"Accept": "application/json"})
        click.echo(f"form     {way.key}: {name} asks for an offer")
        yield way.key
    elif way.channel is Channel.CALL and way.settings.get("provider") == "twilio":
        line = way.read(TwilioLine)
        path = f"/in/calls/twilio/{way.key}"
        for place, status in enumerate(("initiated", "ringing", "no-answer")):
            values = {
                "CallSid": f"CA{number}",
                "CallStatus": status,
                "Direction": "inbound",
                "From": f"+55119{number}",
                "To": next(iter(line.numbers), ""),
                "SequenceNumber": str(place),
                "Timestamp": format_datetime(clock.now()),
            }
            signed = settings().address + path + "".join(k + values[k] for k in sorted(values))
            mac = hmac.digest(line.auth_token.get_secret_value().encode(), signed.encode(), "sha1")
            _post(path, values, {"X-Twilio-Signature": base64.b64encode(mac).decode()})
        click.echo(f"call     {way.key}: a caller whom nobody answers")
        yield way.key
    elif way.channel is Channel.EMAIL and "password" in way.settings:
        mail = EmailMessage()
        mail["From"] = f"{name.split()[0]} <demo{number}@client.test>"
        mail["To"] = "sales@acme.test"
        mail["Subject"] = "A question about your prices"
        mail["Message-ID"] = f"<demo{number}@client.test>"
        mail.set_content("Hello, what would it cost for a team of twelve?")
        _append(way.read(MailboxSettings), mail.as_bytes())
        click.echo(f"e-mail   {way.key}: {name} asks about prices")
        yield way.key


def _append(mailbox: MailboxSettings, raw: bytes) -> None:
    host, port = mailbox.address
    if mailbox.password is None:
        raise Invalid(f"the mailbox '{mailbox.key}' signs in by a token: write to it instead")
    with IMAPClient(host, port, ssl=mailbox.security == "tls", timeout=10) as server:
        if mailbox.security == "starttls":
            server.starttls()
        server.login(mailbox.username, mailbox.password.get_secret_value())
        server.append(mailbox.watched[0], raw)


def _post(path: str, values: dict[str, str], headers: dict[str, str]) -> None:
    here = settings()
    request = urllib.request.Request(
        f"http://{here.host}:{here.port}{path}", urllib.parse.urlencode(values).encode(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise Invalid(f"{path} answered {error.code}: {json.loads(error.read())['detail']}") from None
    except OSError as error:
        raise Unavailable(
            f"the service does not answer on port {here.port}: is 'portaria up' running?"
        ) from error


def _show(last: int, sent: int) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        with db.reading() as session:
            leads = session.scalars(select(Lead).where(Lead.id > last).order_by(Lead.id)).all()
            zone = load(session).zone
            if len(leads) >= sent or time.monotonic() > end:
                break
        time.sleep(0.1)
    for lead_id in [lead.id for lead in leads]:
        click.echo("")
        with db.reading() as session:
            entries = select(TimelineEntry).where(TimelineEntry.lead_id == lead_id).order_by(TimelineEntry.id)
            lead = session.get_one(Lead, lead_id)
            click.echo(f"Lead {lead.id}: {lead.title} → {lead.owner.name if lead.owner else 'nobody'}")
            for entry in session.scalars(entries):
                click.echo(f"  {entry.at.astimezone(zone):%H:%M:%S}  {entry.summary}")
            for happening in explain(session, lead_id) or []:
                for rule in happening.rules:
                    click.echo(f"  {'matched' if rule['matched'] else 'no match'}: {rule['rule']}")
    if len(leads) < sent:
        raise Unavailable(f"{sent - len(leads)} of {sent} enquiries are not leads yet: see 'portaria doctor'")


COMMANDS = (demo,)
