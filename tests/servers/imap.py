"""A scripted IMAP server of our own: does what real ones do, and on demand what they do on bad days.

It answers what a reader needs (RFC 3501, RFC 2177, RFC 4616) and writes down all that is no reading.
"""

from __future__ import annotations

import base64
import re
import select
import socket
import socketserver
import ssl
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.servers.mail import PASSWORD, USER
from tests.servers.port import wait_for

_WRITES = ("SELECT", "STORE", "EXPUNGE", "CLOSE", "APPEND", "COPY", "MOVE", "DELETE", "RENAME", "CREATE")


class Cut(Exception):
    """The connection ends here."""


class ImapServer:
    """One INBOX on loopback. The attributes are its knobs; `misuse` must stay empty.

    A session sees a new message once it was told of it: in an answer, while idling, or after NOOP.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None) -> None:
        self.messages: list[tuple[int, bytes]] = []
        self.uidvalidity = 7
        self.next_uid = 1
        self.can_idle = True
        self.refusal = ""  # what LOGIN is answered, for example 'NO [AUTHENTICATIONFAILED] no'
        self.bad_uids: set[int] = set()  # a FETCH that asks for one of these is answered NO
        self.bad_items = ("BODY",)  # where it asks for something that begins so
        self.withheld_uids: set[int] = set()  # these are left out of the answer, which is OK
        self.deadly_uids: set[int] = set()  # fetching one of these ends the connection
        self.deadly_items = ("BODY.PEEK[]",)  # where it asks for something that begins so
        self.odd_answers: dict[int, tuple[bytes, bytes]] = {}  # in a UID's own answers, what instead of what
        self.sizes: dict[int, int] = {}  # what RFC822.SIZE says instead of the truth
        self.cuts: deque[int] = deque()  # after so many bytes of an answer with bodies the connection ends
        self.silent_at: set[str] = set()  # these commands get no answer until `speak` is set
        self.speak = threading.Event()
        self.once: dict[str, Callable[[], object]] = {}  # called while the command is being answered
        self.repeats_exists = False  # says '* n EXISTS' with every answer
        self.tells_removals_last = False
        self.starttls_extra = b""  # sent in the clear behind the answer to STARTTLS
        self.commands: list[str] = []
        self.misuse: list[str] = []
        self.lock = threading.RLock()
        self.tls, self.starttls = tls, starttls
        self.sessions: set[_Session] = set()
        self.accepted = 0
        outer = self

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 50

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away is no news."""

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                _Session(outer, self.request).run()

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def deliver(self, raw: bytes) -> None:
        """Puts a message into the inbox."""
        with self.lock:
            self.messages.append((self.next_uid, raw))
            self.next_uid += 1

    def remove(self, uid: int) -> None:
        """As another client would."""
        with self.lock:
            self.messages = [m for m in self.messages if m[0] != uid]

    def renumber(self) -> None:
        """Another UIDVALIDITY: all UIDs are new ones."""
        with self.lock:
            self.uidvalidity += 1
            self.messages = [(n, raw) for n, (_, raw) in enumerate(self.messages, 1)]
            self.next_uid = len(self.messages) + 1
        self.drop()

    def drop(self) -> None:
        """Ends all connections."""
        for session in list(self.sessions):
            session.close()

    def idling(self) -> int:
        """How many sessions wait for news."""
        return sum(session.is_idling for session in list(self.sessions))

    def asked(self, beginning: str) -> int:
        """How many commands began so."""
        return sum(command.startswith(beginning) for command in list(self.commands))

    def stop(self) -> None:
        """Ends it."""
        self.speak.set()
        self._server.shutdown()
        self.drop()
        self._server.server_close()
        wait_for(lambda: not self.sessions, 5, "a session does not end")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Session:
    def __init__(self, server: ImapServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.is_idling = False
        self.seen: list[int] | None = None
        self.signed_in = False

    def run(self) -> None:
        server = self.server
        server.sessions.add(self)
        server.accepted += 1
        try:
            if server.tls:
                self.sock = server.tls.wrap_socket(self.sock, server_side=True)
            self.reader = self.sock.makefile("rb")
            if "CONNECT" in server.silent_at:
                server.speak.wait(60)
            self.say(b"* OK ready\r\n")
            while line := self.reader.readline():
                tag, _, command = line.decode("utf-8", "replace").strip().partition(" ")
                self.answer(tag, command)
        except (OSError, ValueError, Cut):
            pass
        finally:
            server.sessions.discard(self)
            self.close()

    def close(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def say(self, raw: bytes) -> None:
        self.sock.sendall(raw)

    def answer(self, tag: str, command: str) -> None:
        server = self.server
        words = command.upper().split()
        name = " ".join(words[: 2 if words[:1] == ["UID"] else 1])
        server.commands.append("LOGIN" if name == "LOGIN" else command)
        if name.removeprefix("UID ") in _WRITES or "BODY[" in command.upper():
            server.misuse.append(command)
            self.say(f"{tag} BAD this is no reading\r\n".encode())
            return
        if name in server.silent_at:
            server.speak.wait(60)
        method = getattr(self, f"on_{name.lower().replace(' ', '_')}", None)
        if method is None:
            self.say(f"{tag} BAD unknown\r\n".encode())
            return
        said, result = method(tag, command)
        if name != "IDLE" and (hook := server.once.pop(name, None)):
            hook()
        may_expunge = name not in ("UID FETCH", "FETCH")  # RFC 3501 section 7.4.1
        said += self.news(may_expunge=may_expunge) if name not in ("EXAMINE", "LOGOUT") else b""
        if name == "UID FETCH" and server.cuts and b"BODY[" in said:
            self.say(said[: server.cuts.popleft()])
            raise Cut
        extra = server.starttls_extra if name == "STARTTLS" else b""
        self.say(said + f"{tag} {result}\r\n".encode() + extra)
        if name == "LOGOUT":
            raise Cut
        if name == "STARTTLS" and server.starttls:
            self.sock = server.starttls.wrap_socket(self.sock, server_side=True)
            self.reader = self.sock.makefile("rb")

    def news(self, *, may_expunge: bool = True) -> bytes:
        """What this session does not know yet."""
        if self.seen is None:
            return b""
        with self.server.lock:
            now = [uid for uid, _ in self.server.messages]
        steps = [self._removals, self._arrivals] if may_expunge else [self._arrivals]
        if self.server.tells_removals_last:
            steps.reverse()
        return b"".join(step(self.seen, now) for step in steps)

    def _removals(self, seen: list[int], now: list[int]) -> bytes:
        said = b""
        for n in reversed(range(len(seen))):
            if seen[n] not in now:
                said += b"* %d EXPUNGE\r\n" % (n + 1)
                del seen[n]
        return said

    def _arrivals(self, seen: list[int], now: list[int]) -> bytes:
        fresh = [uid for uid in now if uid not in seen]
        seen += fresh
        if not fresh and not self.server.repeats_exists:
            return b""
        return b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(seen), len(fresh))

    def on_capability(self, tag: str, command: str) -> tuple[bytes, str]:
        idle = " IDLE" if self.server.can_idle else ""
        secure = " STARTTLS" if self.server.starttls and not isinstance(self.sock, ssl.SSLSocket) else ""
        return f"* CAPABILITY IMAP4rev1 AUTH=PLAIN{idle}{secure}\r\n".encode(), "OK done"

    def on_starttls(self, tag: str, command: str) -> tuple[bytes, str]:
        return b"", "OK begin" if self.server.starttls else "BAD no"

    def on_login(self, tag: str, command: str) -> tuple[bytes, str]:
        found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', command.partition(" ")[2])
        given = tuple(re.sub(r"\\(.)", r"\1", quoted) if quoted else plain for quoted, plain in found)
        return self.sign_in(given == (USER, PASSWORD))

    def on_authenticate(self, tag: str, command: str) -> tuple[bytes, str]:
        self.say(b"+ \r\n")
        _, user, password = base64.b64decode(self.reader.readline()).decode().split("\0")
        return self.sign_in((user, password) == ("usuário", "pässwörd"))

    def sign_in(self, right: bool) -> tuple[bytes, str]:
        if self.server.refusal.startswith("*"):
            self.say(f"{self.server.refusal}\r\n".encode())
            raise Cut
        self.signed_in = right and not self.server.refusal
        return b"", self.server.refusal or ("OK in" if right else "NO [AUTHENTICATIONFAILED] wrong")

    def on_examine(self, tag: str, command: str) -> tuple[bytes, str]:
        if not self.signed_in or command.split()[1].strip('"') != "INBOX":
            return b"", "NO [NONEXISTENT] there is no such folder"
        with self.server.lock:
            self.seen = [uid for uid, _ in self.server.messages]
            said = b"* %d EXISTS\r\n* 0 RECENT\r\n" % len(self.seen)
            return said + b"* OK [UIDVALIDITY %d] .\r\n" % self.server.uidvalidity, "OK [READ-ONLY] done"

    def on_noop(self, tag: str, command: str) -> tuple[bytes, str]:
        return b"", "OK done"

    def on_logout(self, tag: str, command: str) -> tuple[bytes, str]:
        return b"* BYE\r\n", "OK done"

    def in_set(self, numbers: str) -> list[int]:
        """The UIDs of the session that a set names; 'n:*' is never empty (RFC 3501 section 6.4.8)."""
        seen = self.seen or []
        last = max(seen, default=0)
        found: set[int] = set()
        for part in numbers.split(","):
            first, _, end = part.partition(":")
            low, high = (last if n == "*" else int(n) for n in (first, end or first))
            found.update(uid for uid in seen if min(low, high) <= uid <= max(low, high))
        return sorted(found)

    def on_uid_search(self, tag: str, command: str) -> tuple[bytes, str]:
        found = self.in_set(command.split()[3].strip("()"))
        return ("* SEARCH " + " ".join(map(str, found))).strip().encode() + b"\r\n", "OK done"

    def on_uid_fetch(self, tag: str, command: str) -> tuple[bytes, str]:
        server = self.server
        asked = re.fullmatch(r"UID FETCH (\S+) \((.*)\)", command, re.IGNORECASE)
        assert asked, command
        items = asked[2].upper().split()
        wanted = self.in_set(asked[1])
        bodies = "BODY.PEEK[]" in items
        if server.deadly_uids & set(wanted) and any(item.startswith(server.deadly_items) for item in items):
            raise Cut
        if server.bad_uids & set(wanted) and any(item.startswith(server.bad_items) for item in items):
            return b"", "NO [SERVERBUG] cannot read it"
        said = b""
        with server.lock:
            held = dict(server.messages)
        for uid in wanted:
            raw = held.get(uid)
            if raw is None or (bodies and uid in server.withheld_uids):
                continue
            parts = [b"UID %d" % uid]
            for item in items:
                if item == "RFC822.SIZE":
                    parts.append(b"RFC822.SIZE %d" % server.sizes.get(uid, len(raw)))
                elif item == "INTERNALDATE":
                    parts.append(b'INTERNALDATE "23-Nov-2026 15:00:00 -0300"')
                else:
                    end = raw.find(b"\r\n\r\n") + 4
                    given = raw[:end] if "HEADER" in item else raw
                    name = item.replace(".PEEK", "").encode()
                    parts.append(name + b" {%d}\r\n" % len(given) + given)
            seq = (self.seen or []).index(uid) + 1
            answer = b"* %d FETCH (" % seq + b" ".join(parts) + b")\r\n"
            said += (
                answer.replace(*server.odd_answers.get(uid, (b"", b"")), 1)
                if uid in server.odd_answers
                else answer
            )
        return said, "OK done"

    def on_idle(self, tag: str, command: str) -> tuple[bytes, str]:
        if hook := self.server.once.pop("IDLE", None):
            hook()
        # In one piece, as a server does that has looked just now.
        self.say(b"+ idling\r\n" + self.news())
        self.is_idling = True
        try:
            while not self._client_speaks():
                if said := self.news() if not self.server.repeats_exists else b"":
                    self.say(said)
        finally:
            self.is_idling = False
        if not self.reader.readline().startswith(b"DONE"):
            raise Cut
        return b"", "OK idled"

    def _client_speaks(self) -> bool:
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        return bool(select.select([self.sock], [], [], 0.01)[0])
