"""What leaves the house: never into our own network, never with a broken header."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from core import http
from core.errors import Permanent, Retry
from core.settings import settings
from rules.order import MailOrder, WebhookOrder
from worker.outbound import mail, webhook
from worker.outbound.account import Account

PRIVATE = [
    "127.0.0.1", "127.1", "0177.0.0.1", "0x7f.0.0.1", "2130706433", "0.0.0.0", "10.0.0.1", "172.16.0.1",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]",
    "[fe80::1]", "[fc00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1", "localhost", "255.255.255.255",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_no_webhook_reaches_a_private_address_however_it_is_spelt(host: str) -> None:
    with pytest.raises((Permanent, Retry)) as caught:
        webhook.send(WebhookOrder(f"http://{host}:9/x", {}, "k"))
    assert any(w in str(caught.value) for w in ("private network", "cannot be resolved", "cannot be used"))


def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80)), (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]  # fmt: skip
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Permanent, match="private network"):
        webhook.send(WebhookOrder("http://rebinding.example.com/", {}, "k"))


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))]])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: next(answers))  # a second question would fail
    assert http.public_address("once.example.com", 80) == "93.184.216.34"


class _Receiver(BaseHTTPRequestHandler):
    status = 200
    location = ""
    got: list[tuple[dict[str, str], Any]] = []  # noqa: RUF012  a test's own list

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(({k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
        self.send_response(self.status)
        if self.location:
            self.send_header("Location", self.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PORTARIA_PRIVATE_DESTINATIONS", "true")
    settings.cache_clear()
    _Receiver.got.clear()
    _Receiver.status, _Receiver.location = 200, ""
    server = HTTPServer(("127.0.0.1", 0), _Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_has_the_same_id_at_each_attempt(receiver: str) -> None:
    order = WebhookOrder(receiver, {"text": "Olá"}, "effect")
    assert webhook.send(order)[0] == "127.0.0.1 answered 200"
    webhook.send(order)
    (one, body), (two, _) = _Receiver.got
    assert body == {"text": "Olá"}
    assert one["webhook-id"] == two["webhook-id"]


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Permanent), (410, Permanent), (302, Permanent), (429, Retry), (500, Retry)]
)
def test_answers_are_told_apart(receiver: str, status: int, kind: type[Exception]) -> None:
    _Receiver.status, _Receiver.location = status, "http://169.254.169.254/"
    with pytest.raises(kind, match=f"answered {status}"):
        webhook.send(WebhookOrder(receiver, {}, "k"))
    assert len(_Receiver.got) == 1  # no redirect is followed


@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_control_character_never_gets_into_a_header(field: str) -> None:
    values = {"to": "a@client.test", "subject": "Hello", "text": "x", "message_id": "m"}
    values[field] += "\r\nBcc: victim@client.test"
    with pytest.raises(Permanent, match="control character"):
        mail.compose(MailOrder(**values), Account("sales@acme.test", None), sender_name="Acme")


def test_names_and_subjects_in_any_script_survive() -> None:
    order = MailOrder("joao@xn--exmple-cua.com", "Orçamento — 見積もり", "Olá\n見積もり", "m")
    message = mail.compose(order, Account("sales@acme.test", None), sender_name="Ação, Ltda")
    raw = message.as_bytes()
    assert raw.isascii()
    assert str(message["Subject"]) == "Orçamento — 見積もり"
    assert "Ação, Ltda" in str(message["From"])
