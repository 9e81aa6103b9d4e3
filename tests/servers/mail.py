"""Mail servers: an IMAP mailbox in pure Python or by Dovecot, a relay that delivers into it, and a sink."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Protocol, Self

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from imapclient import IMAPClient

from tests.servers.port import free_port, listens, wait_for

USER, PASSWORD = "sales", "imap-secret"


class Mailbox(Protocol):
    """What the tests need of an IMAP server."""

    port: int

    def deliver(self, raw: bytes) -> None:
        """Puts a message into the inbox."""


class PymapServer:
    """An IMAP server in pure Python, in a process of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("pymap")),
                *("--host", "127.0.0.1", "--port", str(self.port), "--no-tls", "--no-service", "sieve"),
                *("--no-service", "admin", "dict", "--demo-user", USER, "--demo-password", PASSWORD),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: listens(self.port), 15, "pymap does not listen")

    def deliver(self, raw: bytes) -> None:
        """By APPEND."""
        with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=60) as client:
            client.login(USER, PASSWORD)
            client.append("INBOX", raw)

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class DovecotServer:
    """A real Dovecot with one user, on loopback, in a folder of its own."""

    def __init__(self) -> None:
        binary = shutil.which("dovecot") or "/usr/sbin/dovecot"
        if not Path(binary).exists():
            if os.environ.get("CI"):
                raise RuntimeError("CI must have Dovecot")
            pytest.skip("Dovecot is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        # As root it changes to users of its own, as it does in the world; else all is done by whoever we are.
        is_root = os.getuid() == 0
        me = pwd.getpwuid(os.getuid())
        owner = pwd.getpwnam("nobody") if is_root else me
        uid, gid = owner.pw_uid, owner.pw_gid
        os.chown(self.mail, uid, gid)
        own_group = "dovecot" if is_root else grp.getgrgid(me.pw_gid).gr_name
        self._owner = f"{uid}:{gid}::{self.folder}::"
        self._write_password(PASSWORD)
        (self.folder / "conf").write_text(
            f"""
protocols = imap
listen = 127.0.0.1
base_dir = {self.folder}/run
log_path = {self.folder}/log
ssl = no
disable_plaintext_auth = no
default_internal_user = {"dovecot" if is_root else me.pw_name}
default_internal_group = {own_group}
default_login_user = {"dovenull" if is_root else me.pw_name}
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:{self.mail}
mailbox_idle_check_interval = 1 secs
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""
        )
        self._process = subprocess.Popen(
            [binary, "-F", "-c", str(self.folder / "conf")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: self._ended() or listens(self.port), 15, "Dovecot does not listen")
        except AssertionError as error:
            words = (self.folder / "log").read_text()
            self.stop()
            raise AssertionError(f"{error}: {words}") from None

    def set_password(self, password: str) -> None:
        """For who signs in from now on."""
        self._write_password(password)
        time.sleep(1.2)  # it looks at the file at most once a second

    def _write_password(self, password: str) -> None:
        fresh = self.folder / "users.new"
        fresh.write_text(f"{USER}:{{PLAIN}}{password}:{self._owner}\n")
        fresh.replace(self.folder / "users")

    def _ended(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError("Dovecot has ended")
        return False

    def deliver(self, raw: bytes, password: str = PASSWORD) -> None:
        """By APPEND."""
        with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=60) as client:
            client.login(USER, password)
            client.append("INBOX", raw)

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Relay:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        await server.loop.run_in_executor(None, self._mailbox.deliver, content)
        return "250 delivered"


class SmtpRelay:
    """Takes mail over SMTP and delivers it into a mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.port = free_port()
        self._controller = Controller(_Relay(mailbox), hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def send(self, raw: bytes, sender: str = "maria@client.test") -> None:
        """As a sender would."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            client.sendmail(sender, ["sales@acme.test"], raw)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


class SmtpSink:
    """Keeps what it is sent. `answer` is what it says after the content, for example '451 later'."""

    def __init__(self) -> None:
        self.port = free_port()
        self.answer = "250 kept"
        self.messages: list[tuple[str, bytes]] = []
        self._lock = threading.Lock()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        content: Any = envelope.content
        if self.answer.startswith("2"):
            with self._lock:
                self.messages += [(to, content) for to in envelope.rcpt_tos]
        return self.answer

    @property
    def url(self) -> str:
        """As SMTP_URL says it."""
        return f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
