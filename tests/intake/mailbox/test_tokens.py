"""Signing in by token: cached, renewed, handed on, withdrawn, and its end known before it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from imapclient.exceptions import IMAPClientAbortError, LoginError
from pydantic import ValidationError

from core import clock, db
from core.settings import settings
from intake.mailbox import folder, right, watch
from intake.mailbox.oauth import OAuth
from intake.mailbox.tokens import Tokens
from models.mailbox import WatchedMailbox
from models.source import Channel
from tests.factories import configure, source
from tests.intake.mailbox.watching import arrives, declare, mail, mailbox, state, watching
from tests.servers.imap import ImapServer
from tests.servers.port import wait_for
from tests.servers.tokens import TokenEndpoint


@pytest.fixture
def endpoint(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenEndpoint]:
    monkeypatch.setenv("PORTARIA_PRIVATE_DESTINATIONS", "true")
    settings.cache_clear()
    for module in (folder, right, watch):
        monkeypatch.setattr(module, "RENEW_SECONDS", 0.1)
    made = TokenEndpoint()
    yield made
    made.stop()


def oauth(endpoint: TokenEndpoint, **more: Any) -> OAuth:
    values = {"provider": "other", "client_id": "app", "client_secret": "s", "refresh_token": "first"}
    return OAuth.model_validate({"token_url": endpoint.url, **values, **more})


def box() -> int:
    configure(mailboxes="  - {key: sales, host: h, username: u, password: p}\n")
    with db.reading() as session:
        return source(session, "sales", Channel.EMAIL).id


def kept(source_id: int) -> WatchedMailbox:
    with db.reading() as session:
        return session.get_one(WatchedMailbox, source_id)


def test_an_access_token_is_kept_until_shortly_before_its_end(endpoint: TokenEndpoint) -> None:
    tokens = Tokens(box(), oauth(endpoint))
    assert [tokens.get(), tokens.get()] == ["token", "token"]
    assert endpoint.asked == [
        {"client_id": "app", "client_secret": "s", "grant_type": "refresh_token", "refresh_token": "first"}
    ]
    with clock.frozen(clock.now() + timedelta(minutes=56)):
        endpoint.answer = {"access_token": "another", "expires_in": 3600}
        assert tokens.get() == "another"
    assert len(endpoint.asked) == 2


def test_a_refresh_token_that_is_handed_out_is_used_from_then_on_and_kept_sealed(
    endpoint: TokenEndpoint,
) -> None:
    source_id = box()
    endpoint.answer = {"access_token": "token", "refresh_token": "second"}
    Tokens(source_id, oauth(endpoint)).get()
    assert "second" not in json.dumps(kept(source_id).token)
    Tokens(source_id, oauth(endpoint)).get()  # as another process would
    assert [a["refresh_token"] for a in endpoint.asked] == ["first", "second"]
    Tokens(source_id, oauth(endpoint, refresh_token="by hand")).get()
    assert endpoint.asked[-1]["refresh_token"] == "by hand"


def test_its_end_is_known_from_what_the_provider_or_the_settings_say(endpoint: TokenEndpoint) -> None:
    source_id, now = box(), clock.now()
    Tokens(source_id, oauth(endpoint)).get()
    assert kept(source_id).token_expires_at is None
    endpoint.answer = {"access_token": "token", "refresh_token_expires_in": 7 * 86400}
    Tokens(source_id, oauth(endpoint)).get()
    ends = kept(source_id).token_expires_at
    assert ends is not None
    assert timedelta(days=6.9) < ends - now < timedelta(days=7.1)
    endpoint.answer = {"access_token": "token", "refresh_token": "next"}
    Tokens(source_id, oauth(endpoint, provider="microsoft")).get()
    ends = kept(source_id).token_expires_at
    assert ends is not None
    assert timedelta(days=89) < ends - now < timedelta(days=91)
    day = (now + timedelta(days=5)).date()
    Tokens(source_id, oauth(endpoint, provider="microsoft", expires=day)).get()
    ends = kept(source_id).token_expires_at
    assert ends is not None
    assert ends.date() == day


def test_an_application_may_sign_in_as_itself(endpoint: TokenEndpoint) -> None:
    values = {"provider": "microsoft", "client_id": "app", "client_secret": "s", "tenant": "acme.test"}
    Tokens(box(), OAuth.model_validate({"token_url": endpoint.url, **values})).get()
    assert endpoint.asked[-1]["grant_type"] == "client_credentials"
    assert endpoint.asked[-1]["scope"] == "https://outlook.office365.com/.default"


@pytest.mark.parametrize(
    ("status", "answer", "error", "words"),
    [
        (400, {"error": "invalid_grant"}, LoginError, "withdrawn or has expired.*set a new refresh_token"),
        (401, {"error": "invalid_client"}, LoginError, "client id or secret"),
        (503, {"error": "x"}, IMAPClientAbortError, "answered 503"),
        (429, {}, IMAPClientAbortError, "answered 429"),
        (400, {"error": "slow_down"}, IMAPClientAbortError, "slow_down"),
        (200, b"<html>", IMAPClientAbortError, "no JSON"),
        (200, [], IMAPClientAbortError, "no JSON"),
        (200, {}, IMAPClientAbortError, "without an access token"),
        (200, {"access_token": "a\r\nb"}, IMAPClientAbortError, "without an access token"),
    ],
)
def test_a_refusal_for_good_is_told_from_a_trouble(
    endpoint: TokenEndpoint, status: int, answer: Any, error: type[Exception], words: str
) -> None:
    endpoint.status, endpoint.answer = status, answer
    with pytest.raises(error, match=words):
        Tokens(box(), oauth(endpoint)).get()


@pytest.mark.parametrize(
    "changes",
    [
        {"token_url": "http://tokens.example/x"},
        {"token_url": None},
        {"provider": "google", "refresh_token": None},
        {"refresh_token": None, "client_secret": None},
    ],
)
def test_settings_that_could_not_work_are_refused(endpoint: TokenEndpoint, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        oauth(endpoint, **changes)


def grant(endpoint: TokenEndpoint) -> str:
    return (
        f"{{provider: other, token_url: '{endpoint.url}', client_id: app, client_secret: s, "
        "refresh_token: first}"
    )


def test_a_mailbox_signs_in_by_token_and_asks_for_another_where_it_is_refused(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_LONGEST_WAIT", 0.05)
    with ImapServer() as server:
        server.deliver(mail(1))
        declare(mailbox(server, password=None, oauth=grant(endpoint)))
        with watching():
            arrives(mail(1))
            assert len(endpoint.asked) == 1
            server.accepts_token = "another"
            endpoint.answer = {"access_token": "another"}
            with clock.frozen(clock.now() + timedelta(minutes=1)):
                server.drop()
                server.deliver(mail(2))
                arrives(mail(1), mail(2))
            assert len(endpoint.asked) == 2


def test_a_grant_that_was_withdrawn_stops_the_mailbox_and_says_what_to_do(endpoint: TokenEndpoint) -> None:
    endpoint.status, endpoint.answer = 400, {"error": "invalid_grant"}
    with ImapServer() as server:
        declare(mailbox(server, password=None, oauth=grant(endpoint)))
        with watching():
            wait_for(lambda: state().startswith("stopped"), 5, "it is not said")
    assert "sign in again and set a new refresh_token" in state()
    assert len(endpoint.asked) == 1


def test_a_refresh_token_that_another_process_has_replaced_meanwhile_is_no_refusal(
    endpoint: TokenEndpoint,
) -> None:
    source_id = box()
    one, other = Tokens(source_id, oauth(endpoint)), Tokens(source_id, oauth(endpoint))
    endpoint.answer, endpoint.rotates = {"access_token": "a", "refresh_token": "second"}, True
    ask, read = one._refresh_token, iter(["first"])  # what it has read before the other was handed a new one
    assert other.get() == "a"
    one._refresh_token = lambda: next(read, None) or ask()  # type: ignore[method-assign]
    assert one.get() == "a"
    assert [a["refresh_token"] for a in endpoint.asked] == ["first", "first", "second"]
