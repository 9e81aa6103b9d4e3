"""Sending through Google and Microsoft 365: signed in by the mailbox's own grant, renewed, or refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import ValidationError

from core import clock, db
from core.errors import Retry
from core.settings import settings
from intake import sources
from intake.mailbox.settings import MailboxSettings
from rules.order import MailOrder
from tests.factories import WORKSPACE, configure
from tests.servers.smtp_trouble import TroubledSmtp
from tests.servers.tokens import TokenEndpoint
from worker.outbound import smtp, transport

ORDER = MailOrder("maria@client.test", "Your offer", "Here it is.\n", "effect")
MAILBOX = """
mailboxes:
  - key: sales
    host: imap.acme.test
    username: sales@acme.test
    oauth: {{provider: {provider}, token_url: "{url}", client_id: app, client_secret: s, refresh_token: first}}
    smtp: {{host: 127.0.0.1, port: {port}, security: none, oauth: true}}
"""


@pytest.fixture
def endpoint(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenEndpoint]:
    monkeypatch.setenv("PORTARIA_PRIVATE_DESTINATIONS", "true")
    settings.cache_clear()
    made = TokenEndpoint()
    yield made
    made.stop()
    transport.hang_up()


def declare(endpoint: TokenEndpoint, server: TroubledSmtp, provider: str = "other") -> None:
    configure(WORKSPACE + MAILBOX.format(provider=provider, url=endpoint.url, port=server.port))
    sources.forget()


@pytest.mark.parametrize(
    ("provider", "scope"),
    [
        ("google", None),
        ("microsoft", "https://outlook.office.com/SMTP.Send offline_access"),
    ],
)
def test_a_mail_is_sent_with_the_grant_that_reads_the_mailbox(
    endpoint: TokenEndpoint, provider: str, scope: str | None
) -> None:
    with TroubledSmtp(accepts_token="token") as server:
        declare(endpoint, server, provider)
        for _ in range(2):
            assert smtp.send(ORDER, sender_name="Acme") == "E-mail sent: Your offer"
        assert server.signed_in == [b"user=sales@acme.test\1auth=Bearer token\1\1"]
        assert len(server.contents) == 2
    (asked,) = endpoint.asked
    assert (asked["refresh_token"], asked.get("scope")) == ("first", scope)


def test_a_token_that_was_withdrawn_before_its_time_is_renewed_once(endpoint: TokenEndpoint) -> None:
    with TroubledSmtp(accepts_token="token") as server:
        declare(endpoint, server)
        smtp.send(ORDER, sender_name="Acme")
        transport.hang_up()
        server.accepts_token = "another"
        endpoint.answer = {"access_token": "another"}
        with clock.frozen(clock.now() + timedelta(minutes=1)):
            smtp.send(ORDER, sender_name="Acme")
            assert (len(server.contents), len(endpoint.asked)) == (2, 2)
            transport.hang_up()
            server.accepts_token = "nothing we could have"
        with (
            clock.frozen(clock.now() + timedelta(minutes=2)),
            pytest.raises(Retry, match="refuses the sign-in: 535"),
        ):
            smtp.send(ORDER, sender_name="Acme")
        assert (len(server.contents), len(endpoint.asked)) == (2, 3)


def test_a_grant_that_was_withdrawn_and_a_server_without_the_mechanism_are_told(
    endpoint: TokenEndpoint,
) -> None:
    with TroubledSmtp(accepts_token="token") as server:
        declare(endpoint, server)
        endpoint.status, endpoint.answer = 400, {"error": "invalid_grant"}
        with pytest.raises(Retry, match="set a new refresh_token"):
            smtp.send(ORDER, sender_name="Acme")
        endpoint.status = 503
        with pytest.raises(Retry, match=r"token endpoint.* answered 503"):
            smtp.send(ORDER, sender_name="Acme")
    with TroubledSmtp() as plain:
        declare(endpoint, plain)
        with pytest.raises(Retry, match="offers no sign-in by token"):
            smtp.send(ORDER, sender_name="Acme")
        assert not any(command.startswith("MAIL") for command in plain.commands)


def test_a_token_is_not_sent_unencrypted_to_another_machine(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_is_here", lambda _: False)
    with TroubledSmtp(accepts_token="token") as server:
        declare(endpoint, server)
        with pytest.raises(Retry, match="a token is not sent without"):
            smtp.send(ORDER, sender_name="Acme")
    assert (server.signed_in, endpoint.asked) == ([], [])


def test_a_token_that_the_server_cannot_check_now_is_not_renewed(endpoint: TokenEndpoint) -> None:
    with TroubledSmtp(accepts_token="token", auth="454 4.7.0 temporary failure") as server:
        declare(endpoint, server)
        with pytest.raises(Retry, match="454"):
            smtp.send(ORDER, sender_name="Acme")
    assert (len(endpoint.asked), server.connections) == (1, 1)


@pytest.mark.parametrize(
    ("box", "out", "words"),
    [
        ({"password": "p"}, {"oauth": True}, "needs the mailbox's own oauth"),
        (
            {"oauth": {"provider": "google", "client_id": "a", "refresh_token": "r"}},
            {"oauth": True, "password": "p"},
            "either a password or oauth",
        ),
    ],
)
def test_settings_that_could_not_work_are_refused(
    box: dict[str, object], out: dict[str, object], words: str
) -> None:
    values = {"key": "sales", "host": "h", "username": "u", "smtp": {"host": "h", **out}, **box}
    with pytest.raises(ValidationError, match=words):
        MailboxSettings.model_validate(values)
