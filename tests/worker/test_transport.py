"""Mail servers in all their moods: what passes is tried again, what does not is not, and nothing is doubled unmarked."""

from __future__ import annotations

import gc
import ssl
import subprocess
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from core import storage
from core.errors import Permanent, Retry, TooEarly
from core.settings import settings
from intake import rates, sources
from rules.order import MailFile, MailOrder
from tests.factories import WORKSPACE, configure
from tests.servers.mail import SmtpSink
from tests.servers.port import free_port
from tests.servers.smtp_trouble import TroubledSmtp
from worker.outbound import mail, smtp, transport
from worker.outbound.account import Account, Server

ORDER = MailOrder("ana@client.test", "Hello", "Olá\n.a line that begins with a point\n", "effect")


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    transport.hang_up()
    rates.forget()
    yield
    transport.hang_up()


def through(server: TroubledSmtp | SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", server.url)
    settings.cache_clear()
    sources.forget()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ({"hello": "421 too busy"}, Retry, "421"),
        ({"mail": "451 later"}, Retry, "451 later"),
        ({"mail": "550 not you"}, Permanent, "550 not you"),
        ({"rcpt": "450 greylisted"}, Retry, "450 greylisted"),
        ({"rcpt": "550 5.1.1 no such user"}, Permanent, "550 5.1.1 no such user"),
        ({"data": "421 leaving"}, Retry, "421 leaving"),
        ({"data": "554 no"}, Permanent, "554 no"),
        ({"dot": "452 full"}, Retry, "452 full"),
        ({"dot": "552 too large"}, Permanent, "552 too large"),
        ({"dot": "cut"}, Retry, "unknown"),
        ({"hello": "cut"}, Retry, "did not take it"),
        ({"rcpt": "cut"}, Retry, "did not take it"),
        ({"dot": "not smtp at all"}, Retry, "answered -1"),
        ({"hello": "wait 0.2 220 slow", "rcpt": "wait 0.2 250 slow"}, None, ""),
    ],
)
def test_failures_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], kind: type[Exception] | None, words: str
) -> None:
    with TroubledSmtp(**answers) as server:
        through(server, monkeypatch)
        if kind is None:
            assert smtp.send(ORDER, sender_name="Acme") == "E-mail sent: Hello"
            return
        with pytest.raises(kind, match=words):
            smtp.send(ORDER, sender_name="Acme")


@pytest.mark.usefixtures("database")
def test_a_server_that_never_answers_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_CONTENT_SECONDS", 0.2)
    with TroubledSmtp(dot="wait 1.0 250 kept") as server:
        through(server, monkeypatch)
        with pytest.raises(Retry, match="unknown"):
            smtp.send(ORDER, sender_name="Acme")
    monkeypatch.setattr(transport, "_LATEST_SECONDS", 0.1)
    with TroubledSmtp(rcpt="wait 0.2 250 fine") as server:
        through(server, monkeypatch)
        with pytest.raises(Retry, match="too slow"):
            smtp.send(ORDER, sender_name="Acme")
        assert not server.contents or not server.contents[0].endswith(b"\r\n.\r\n")


@pytest.mark.usefixtures("database")
def test_a_second_copy_has_the_message_id_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with TroubledSmtp(dot="cut") as server:
        through(server, monkeypatch)
        with pytest.raises(Retry):
            smtp.send(ORDER, sender_name="Acme")
        server.answers["."] = "250 kept"
        smtp.send(ORDER, sender_name="Acme")
        first, second = (message_from_bytes(c, policy=default)["Message-ID"] for c in server.contents)
        assert first == second
        text = message_from_bytes(server.contents[1].replace(b"\r\n..", b"\r\n."), policy=default)
        assert text.get_content().splitlines() == ["Olá", ".a line that begins with a point"]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("database")
def test_one_connection_takes_many_mails_and_a_dead_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with TroubledSmtp() as server:
        through(server, monkeypatch)
        for n in range(3):
            smtp.send(MailOrder("a@client.test", "x", "y", str(n)), sender_name="Acme")
        assert (server.connections, len(server.contents)) == (1, 3)
        server.answers["noop"] = "cut"
        smtp.send(ORDER, sender_name="Acme")
        assert (server.connections, len(server.contents)) == (2, 4)


class _Authenticated:
    """Keeps who signed in and whether it was encrypted."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def __call__(
        self, server: SMTP, session: Session, envelope: Envelope, _: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = data.password == b"geheim"
        encrypted = server.transport.get_extra_info("sslcontext") is not None
        self.seen.append((data.login.decode(), encrypted))
        return AuthResult(success=good, handled=good)

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802
        return "250 kept"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


# aiosmtpd leaves a connection unclosed whose client did not like its certificate.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_encryption_is_checked_and_comes_before_the_password(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path], security: str
) -> None:
    key, cert = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    door = _Authenticated()
    port = free_port()
    own = {"ssl_context": context} if security == "tls" else {"tls_context": context}
    controller = Controller(
        door,
        hostname="127.0.0.1",
        port=port,
        authenticator=door,
        auth_require_tls=security == "starttls",
        **own,
    )
    controller.start()
    try:
        server = Server("localhost", port, security, "sales", "geheim")
        with pytest.raises(Retry, match="certificate is not trusted"):
            transport.deliver(server, "s@acme.test", ["a@client.test"], b"Subject: x\r\n\r\ny\r\n")
        assert door.seen == []
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        transport.deliver(server, "s@acme.test", ["a@client.test"], b"Subject: x\r\n\r\ny\r\n")
        assert door.seen == [("sales", True)]
        wrong = Server("localhost", port, security, "sales", "falsch")
        with pytest.raises(Retry, match="refuses the sign-in"):  # somebody will mend it: the mail waits
            transport.deliver(wrong, "s@acme.test", ["a@client.test"], b"Subject: x\r\n\r\ny\r\n")
    finally:
        controller.stop()
        transport.hang_up()
        del controller
        gc.collect()


def test_a_server_whose_encryption_was_taken_away_gets_no_mail_and_no_password() -> None:
    with TroubledSmtp() as server:
        stripped = Server("127.0.0.1", server.port, "starttls", "sales", "geheim")
        with pytest.raises(Retry):
            transport.deliver(stripped, "s@acme.test", ["a@client.test"], b"x")
        assert not any("AUTH" in c or "MAIL" in c for c in server.commands)


MAILBOXES = """
mailboxes:
  - {{key: sales, host: imap.acme.test, username: sales@acme.test, password: p, plus_addresses: true,
     smtp: {{host: 127.0.0.1, port: {port}, security: none, from: hello@acme.test, rate: 2 per hour}}}}
  - {{key: info, host: imap.acme.test, username: info@acme.test, password: p}}
"""


@pytest.mark.usefixtures("database")
def test_each_mailbox_sends_by_its_own_server_at_its_own_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpSink() as own, SmtpSink() as common:
        through(common, monkeypatch)
        configure(WORKSPACE + MAILBOXES.format(port=own.port))
        sources.forget()
        for n in range(2):
            smtp.send(MailOrder("a@client.test", "x", "y", str(n), mailbox="sales"), sender_name="Acme")
        with pytest.raises(TooEarly, match="at most 2 per 1 hour"):
            smtp.send(MailOrder("a@client.test", "x", "y", "3", mailbox="sales"), sender_name="Acme")
        smtp.send(MailOrder("a@client.test", "x", "y", "4", mailbox="info"), sender_name="Acme")
        sent = message_from_bytes(own.messages[0][1], policy=default)
        assert sent["From"] == "Acme <hello@acme.test>"
        assert sent["Reply-To"].startswith("hello+")
        other = message_from_bytes(common.messages[0][1], policy=default)
        assert (other["From"], other["Reply-To"]) == ("Acme <no-reply@127.0.0.1>", "info@acme.test")


NASTY = [
    "\r\nBcc: victim@client.test",
    "\nX: y",
    "\r",
    "\0",
    "\x1b[31m",
    "\x7f",
    "\x85X: y",
    "\u2028X: y",
    "\x0b",
    "\x0c",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_a_control_character_gets_into_no_header_from_wherever_it_comes(nasty: str) -> None:
    plain = {"to": "a@client.test", "subject": "Hello", "text": "x", "message_id": "m"}
    account = Account("sales@acme.test", None)
    for change in (
        {"subject": "Hi" + nasty + "x"},
        {"to": f"a{nasty}@client.test"},
        {"cc": (f"a@client.test{nasty}x",)},
        {"from_name": f"Ana{nasty}x"},
        {"in_reply_to": f"<a@b>{nasty}x"},
        {"references": ("<a@b>", f"<c@d>{nasty}x")},
        {"unsubscribe": f"https://x/{nasty}x"},
        {"files": (MailFile(f"a{nasty}.pdf", "application/pdf", "p"),)},
    ):
        with pytest.raises(Permanent, match="header"):
            mail.compose(MailOrder(**{**plain, **change}), account, sender_name="Acme")  # type: ignore[arg-type]
    with pytest.raises(Permanent, match="header"):
        mail.compose(MailOrder(**plain), Account(f"s{nasty}@acme.test", None), sender_name="Acme")  # type: ignore[arg-type]
    with pytest.raises(Permanent, match="header"):
        mail.compose(MailOrder(**plain), account, sender_name=f"Acme{nasty}x")  # type: ignore[arg-type]


def test_what_is_sent_can_be_read_again_whatever_is_in_it() -> None:
    storage.put("mails/x/0", b"%PDF-1.7 \x00\xff")
    order = MailOrder(
        "ana@client.test",
        "Orçamento — 見積もり " + "long " * 60 + "end",
        "Olá\n見積もり\n" + "x" * 3000,
        "m",
        html="<p>Olá <b>見積もり</b></p>",
        cc=("b@client.test", "c@client.test"),
        in_reply_to="<1@client.test>",
        references=tuple(f"<{n}@client.test>" for n in range(20)),
        automatic="",
        unsubscribe="https://portaria.test/in/unsubscribe/1-abc",
        files=(MailFile('Ção "quoted"; x=y.pdf', "application/pdf", "mails/x/0"),),
    )
    raw = mail.raw(mail.compose(order, Account("sales@acme.test", None), sender_name='Ação "Ltda", x'))
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))  # RFC 5322 section 2.1.1
    assert b"\n" not in raw.replace(b"\r\n", b"")
    read = message_from_bytes(raw, policy=default)
    assert read["Subject"] == order.subject
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert read["Auto-Submitted"] is None
    assert read["References"].split() == list(order.references)
    body, attachment = read.get_body(("plain",)), next(iter(read.iter_attachments()))  # type: ignore[attr-defined]
    assert body.get_content().replace("\r\n", "\n").strip() == order.text.strip()
    assert attachment.get_filename() == order.files[0].name
    assert attachment.get_content() == b"%PDF-1.7 \x00\xff"
