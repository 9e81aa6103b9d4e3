"""A telephony provider on the far side of the internet: HTTPS under its own names, scripted by the test.

It answers what the test says for an address, keeps what it was asked, and calls our endpoints over HTTP with
its own signatures. Its names resolve to an address that looks public, so that our guard is at work; only the
last step of the connection leads to this machine.
"""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server

from core import clock
from tests.servers import telephony

HOSTS = (
    "api.twilio.com",
    "api.telnyx.com",
    "api.aircall.io",
    "api.zadarma.com",
    "platform.ringcentral.com",
    "media.ringcentral.com",
    "pbx.test",
    "rec.test",
    "s3.amazonaws.com",
)
#: Names that lead into a network of our own.
INSIDE = {"inside.rec.test": "10.0.0.7"}
#: Where they resolve to: a public address, by what our guard knows of it.
_PUBLIC = "93.184.216.34"


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What is answered; `hangs_up` closes the connection without a word."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs_up: bool = False


Script = Callable[[Asked], Answer]


class FakeProvider:
    """`on` says what is answered; `asked` is what came, in order."""

    def __init__(self, url: str) -> None:
        self.asked: list[Asked] = []
        self._scripts: list[tuple[str, str, str, Script]] = []
        self._url = url

    def on(self, method: str, host: str, path: str, answer: Answer | Script) -> None:
        """Answers requests to this path, or to all below it where it ends in an asterisk. The last word wins."""
        script = (lambda _: answer) if isinstance(answer, Answer) else answer
        self._scripts.insert(0, (method, host, path, script))

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        for method, host, path, script in self._scripts:
            fits = asked.path.startswith(path[:-1]) if path.endswith("*") else asked.path == path
            if (method, host) == (asked.method, asked.host) and fits:
                return script(asked)
        return Answer(404, {"message": "nothing here"})

    def tell(self, provider: str, public_url: str, said: Mapping[str, Any], **more: Any) -> int:
        """Calls our endpoint as the provider would at this moment; the status of our answer."""
        line = more.pop("line", None)
        method, url, headers, body = telephony.request(provider, public_url, said, clock.now(), line)
        path = telephony.path_of(url)
        request = urllib.request.Request(self._url + path, body or None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code


_NOTHING = dict.fromkeys(
    ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
) | {"decipher_only": False}
_USAGE = {
    ca: x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **_NOTHING)
    for ca in (True, False)
}


@lru_cache(maxsize=1)
def _certificate() -> tuple[Path, Path]:
    """A certificate for all names, and the authority that signed it, made once."""
    now = dt.datetime.now(dt.UTC)
    folder = Path(mkdtemp(prefix="provider"))
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def made(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority).public_key(public)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(
            now + dt.timedelta(days=30)
        )
        # As strictly as Python 3.13 checks them.
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        for extension, critical in (
            (x509.BasicConstraints(ca=ca, path_length=None), True),
            (x509.SubjectKeyIdentifier.from_public_key(public), False),
            (signer, False),
            (_USAGE[ca], True),
        ):
            builder = builder.add_extension(extension, critical=critical)
        return builder

    root = made(authority, authority_key.public_key(), ca=True).sign(authority_key, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOSTS[0])])
    leaf = made(subject, key.public_key(), ca=False).add_extension(names, critical=False)
    signed = leaf.sign(authority_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + signed.public_bytes(pem))
    (folder / "authority.pem").write_bytes(root.public_bytes(pem))
    return folder / "server.pem", folder / "authority.pem"


@contextmanager
def running(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """The provider, and our application over HTTP for it to call."""
    server_file, authority = _certificate()
    ours = make_server("127.0.0.1", 0, app, threaded=True)
    provider = FakeProvider(f"http://127.0.0.1:{ours.server_port}")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                self.command,
                (self.headers["Host"] or "").partition(":")[0],
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            answer = provider.answer(asked)
            if answer.hangs_up:
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  the library's names

        def log_message(self, *_: Any) -> None:
            """Silent."""

    theirs = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    theirs.socket = context.wrap_socket(theirs.socket, server_side=True)
    threads = [threading.Thread(target=s.serve_forever, args=(0.02,), daemon=True) for s in (ours, theirs)]
    for thread in threads:
        thread.start()
    _lead_there(theirs.server_port, authority, monkeypatch)
    try:
        yield provider
    finally:
        for server in (ours, theirs):
            server.shutdown()
            server.server_close()


def _lead_there(port: int, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, connect = socket.getaddrinfo, httpcore.SyncBackend.connect_tcp

    def resolved(host: Any, asked: Any, *args: Any, **more: Any) -> Any:
        if host in HOSTS:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (_PUBLIC, asked))]
        if host in INSIDE:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (INSIDE[host], asked))]
        return resolve(host, asked, *args, **more)

    def connected(self: Any, host: str, asked: int, *args: Any, **more: Any) -> Any:
        if host == _PUBLIC:
            host, asked = "127.0.0.1", port
        return connect(self, host, asked, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connected)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
