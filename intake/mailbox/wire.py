"""The line to an IMAP server: the standard client's, with a reader that knows what it holds.

IMAPClient's IDLE asks the socket whether there is news. What came together with an earlier answer is
not in the socket any more, and a closed connection looks to it like no news; both cost a minute.
"""

from __future__ import annotations

import imaplib
import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

from imapclient import IMAPClient, SocketTimeout

#: One line may hold the UIDs of all messages; imaplib allows 1 MB, which is some 140,000 of them.
_LONGEST_LINE = 16 * 1024 * 1024
_CHUNK = 256 * 1024


class Wire(imaplib.IMAP4):
    """`tls` is used from the first byte where it is given."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout: float) -> None:
        self._tls = tls
        self._held = bytearray()
        self._held_of: object = None
        super().__init__(host, port, timeout)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout)
        return self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain

    def _command(self, name: str, *args: str | bytes | None) -> Any:
        """Every command goes through here; none is given a second one (CVE-2025-15366)."""
        for given in args:
            raw = given.encode("utf-8", "replace") if isinstance(given, str) else given or b""
            if any(byte < 32 or byte == 127 for byte in raw):
                self.literal = None
                raise self.error(f"a control character in what {name} is given")
        return super()._command(name, *args)  # type: ignore[misc]  # it is not typed

    def read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        self._of_this_socket()
        while len(self._held) < size:
            self._receive()
        return self._taken(size)

    def readline(self) -> bytes:
        """One line with its end."""
        self._of_this_socket()
        looked = 0
        while (end := self._held.find(b"\n", looked)) < 0:
            looked = len(self._held)
            if looked > _LONGEST_LINE:
                raise self.abort(f"a line is longer than {_LONGEST_LINE} bytes")
            self._receive()
        return self._taken(end + 1)

    def ready(self, seconds: float) -> bool:
        """Whether a line is there, or begins to come within this time.

        Raises abort where the server has closed the connection.
        """
        self._of_this_socket()
        if b"\n" in self._held:
            return True
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
        if not pending:
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            if not poll.poll(seconds * 1000):
                return False
        timeout = self.sock.gettimeout()
        self.sock.setblocking(False)
        try:
            self._receive()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass  # TLS spoke of itself
        finally:
            self.sock.settimeout(timeout)
        return b"\n" in self._held

    def idle(self) -> bytes:
        """Begins IDLE (RFC 2177) and returns its tag; what the server says meanwhile is kept as untagged."""
        tag: bytes = self._command("IDLE")
        while self._get_response() is not None:
            if self.tagged_commands[tag] is not None:
                raise self.error(f"IDLE failed: {self.tagged_commands.pop(tag)}")
        return tag

    def done(self, tag: bytes) -> None:
        """Ends IDLE."""
        self.send(b"DONE\r\n")
        self._command_complete("IDLE", tag)

    def hear(self) -> None:
        """Takes in one line that `ready` has announced."""
        self._get_response()
        if "BYE" in self.untagged_responses:
            raise self.abort(f"the server says goodbye: {self.untagged_responses['BYE'][-1]!r}")

    def _of_this_socket(self) -> None:
        # What somebody put behind the answer to STARTTLS is not the server's word (CVE-2011-0411).
        if self._held_of is not self.sock:
            self._held.clear()
            self._held_of = self.sock

    def _receive(self) -> None:
        chunk = self.sock.recv(_CHUNK)
        if not chunk:
            raise self.abort("the server closed the connection")
        self._held += chunk

    def _taken(self, size: int) -> bytes:
        taken = bytes(memoryview(self._held)[:size])
        del self._held[:size]
        return taken


class Client(IMAPClient):  # type: ignore[misc]  # it is not typed
    """IMAPClient over a `Wire`."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout: SocketTimeout) -> None:
        super().__init__(host, port, ssl=tls is not None, ssl_context=tls, timeout=timeout)
        self.normalise_times = False  # or INTERNALDATE comes without its zone

    @property
    def wire(self) -> Wire:
        """The line below it."""
        wire: Wire = self._imap
        return wire

    def authenticate(self, mechanism: str, answer: Callable[[bytes], str]) -> None:
        """Signs in by a mechanism (RFC 3501 section 6.2.2); `answer` says what to each challenge."""
        self._command_and_check("authenticate", mechanism, answer)

    def _create_IMAP4(self) -> Wire:  # noqa: N802
        return Wire(self.host, self.port, self.ssl_context, self._timeout.connect)
