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
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from functools import lru_cache
from typing import Self

from tests.servers.mail import PASSWORD, USER
from tests.servers.port import wait_for

_DATE = "23-Nov-2026 15:00:00 -0300"
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
        self.writable = False  # otherwise whatever changes something is written down and refused
        self.capabilities = "MOVE UIDPLUS"
        self.flags: dict[int, set[str]] = {}
        self.folders: dict[str, list[bytes]] = {}  # those that messages were moved or copied to
        self.dates: dict[int, str] = {}  # when a UID came, as INTERNALDATE says it
        self.inboxes = {"INBOX"}  # the names under which the one folder is known
        self.late_uids: set[int] = set()  # these are in no session's view yet
        self.accepts_token = "token"
        self.commands: list[str] = []
        self.misuse: list[str] = []
        self.lock = threading.RLock()
        self.tls, self.starttls = tls, starttls
        self.sessions: set[_Session] = set()
        self.accepted = 0
        self.bytes_said = 0
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

    def deliver(self, raw: bytes, date: str = "") -> None:
        """Puts a message into the inbox."""
        with self.lock:
            if date:
                self.dates[self.next_uid] = date
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
        self.server.bytes_said += len(raw)
        self.sock.sendall(raw)

    def answer(self, tag: str, command: str) -> None:
        server = self.server
        words = command.upper().split()
        name = " ".join(words[: 2 if words[:1] == ["UID"] else 1])
        server.commands.append("LOGIN" if name == "LOGIN" else command)
        if (name.removeprefix("UID ") in _WRITES and not server.writable) or "BODY[" in command.upper():
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
        now = self.visible()
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
        idle = (" IDLE" if self.server.can_idle else "") + " " + self.server.capabilities
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
        if command.upper().endswith("XOAUTH2"):
            said = base64.b64decode(self.reader.readline()).decode()
            right = said == f"user={USER}\1auth=Bearer {self.server.accepts_token}\1\1"
            if not right:
                self.say(b"+ " + base64.b64encode(b'{"status":"400","schemes":"Bearer"}') + b"\r\n")
                assert self.reader.readline() == b"\r\n"
            return self.sign_in(right)
        _, user, password = base64.b64decode(self.reader.readline()).decode().split("\0")
        return self.sign_in((user, password) == ("usuário", "pässwörd"))

    def sign_in(self, right: bool) -> tuple[bytes, str]:
        if self.server.refusal.startswith("*"):
            self.say(f"{self.server.refusal}\r\n".encode())
            raise Cut
        self.signed_in = right and not self.server.refusal
        return b"", self.server.refusal or ("OK in" if right else "NO [AUTHENTICATIONFAILED] wrong")

    def on_examine(self, tag: str, command: str) -> tuple[bytes, str]:
        if not self.signed_in or command.split()[1].strip('"') not in self.server.inboxes:
            return b"", "NO [NONEXISTENT] there is no such folder"
        with self.server.lock:
            self.seen = self.visible()
            said = b"* %d EXISTS\r\n* 0 RECENT\r\n" % len(self.seen)
            said += b"* OK [UIDNEXT %d] .\r\n" % self.server.next_uid
            return said + b"* OK [UIDVALIDITY %d] .\r\n" % self.server.uidvalidity, "OK [READ-ONLY] done"

    def visible(self) -> list[int]:
        """What a session that looks now is shown."""
        with self.server.lock:
            return [uid for uid, _ in self.server.messages if uid not in self.server.late_uids]

    def on_select(self, tag: str, command: str) -> tuple[bytes, str]:
        said, result = self.on_examine(tag, command)
        return said, result.replace("READ-ONLY", "READ-WRITE")

    def on_uid_store(self, tag: str, command: str) -> tuple[bytes, str]:
        _, _, uids, _, flags = command.split(None, 4)
        for uid in self.in_set(uids):
            self.server.flags.setdefault(uid, set()).update(flags.strip("()").split())
        return b"", "OK done"

    def on_uid_expunge(self, tag: str, command: str) -> tuple[bytes, str]:
        for uid in self.in_set(command.split()[2]):
            if "\\Deleted" in self.server.flags.get(uid, ()):
                self.server.remove(uid)
        return b"", "OK done"

    def on_uid_copy(self, tag: str, command: str) -> tuple[bytes, str]:
        _, _, uids, folder = command.split(None, 3)
        if (name := folder.strip('"')) not in self.server.folders:
            return b"", "NO [TRYCREATE] there is no such folder"
        held = dict(self.server.messages)
        self.server.folders[name] += [held[uid] for uid in self.in_set(uids) if uid in held]
        return b"", "OK done"

    def on_uid_move(self, tag: str, command: str) -> tuple[bytes, str]:
        said, result = self.on_uid_copy(tag, command)
        for uid in self.in_set(command.split()[2]) if result.startswith("OK") else ():
            self.server.remove(uid)
        return said, result

    def on_create(self, tag: str, command: str) -> tuple[bytes, str]:
        self.server.folders[command.split(None, 1)[1].strip('"')] = []
        return b"", "OK done"

    def on_list(self, tag: str, command: str) -> tuple[bytes, str]:
        asked = command.rsplit(None, 1)[1].strip('"')
        return (f'* LIST () "/" "{asked}"\r\n'.encode() if asked in self.server.folders else b""), "OK done"

    def on_noop(self, tag: str, command: str) -> tuple[bytes, str]:
        return b"", "OK done"

    def on_logout(self, tag: str, command: str) -> tuple[bytes, str]:
        return b"* BYE\r\n", "OK done"

    def in_set(self, numbers: str) -> list[int]:
        """The UIDs of the session that a set names; 'n:*' is never empty (RFC 3501 section 6.4.8)."""
        seen = self.seen or []
        last = max(seen, default=0)
        found: set[int] = set()
        if numbers == "ALL":
            return sorted(seen)
        for part in numbers.split(","):
            first, _, end = part.partition(":")
            low, high = (last if n == "*" else int(n) for n in (first, end or first))
            found.update(uid for uid in seen if min(low, high) <= uid <= max(low, high))
        return sorted(found)

    def on_uid_search(self, tag: str, command: str) -> tuple[bytes, str]:
        words = command.upper().replace("(", "").replace(")", "").split()
        if words[2] == "HEADER":
            asked = command.split()[4].strip('"').encode()
            with self.server.lock:
                found = [
                    uid for uid, raw in self.server.messages if asked in raw and uid in self.in_set("ALL")
                ]
            return b"* SEARCH" + b"".join(b" %d" % uid for uid in found) + b"\r\n", "OK done"
        found = self.in_set(words[3] if words[2] == "UID" else words[2])
        if "SINCE" in words:
            since = datetime.strptime(words[words.index("SINCE") + 1] + " +0000", "%d-%b-%Y %z").date()
            found = [uid for uid in found if self.date(uid).date() >= since]
        return ("* SEARCH " + " ".join(map(str, found))).strip().encode() + b"\r\n", "OK done"

    def date(self, uid: int) -> datetime:
        """When a message came."""
        return datetime.strptime(self.server.dates.get(uid, _DATE), "%d-%b-%Y %H:%M:%S %z")

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
                    parts.append(b'INTERNALDATE "%s"' % server.dates.get(uid, _DATE).encode())
                elif item == "BODYSTRUCTURE":
                    parts.append(b"BODYSTRUCTURE " + structure(opened(raw)))
                else:
                    given = section(raw, item)
                    name = re.sub(r"<(\d+)\.\d+>", r"<\1>", item.replace(".PEEK", "")).encode()
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


@lru_cache(maxsize=4)
def opened(raw: bytes) -> Message:
    """The message; a large one is asked for part by part."""
    return message_from_bytes(raw)


def structure(part: Message) -> bytes:
    """BODYSTRUCTURE, as far as readers look at it (RFC 3501 section 7.4.2)."""
    parameters = " ".join(f'"{k}" "{v}"' for k, v in (part.get_params() or [])[1:])
    parameters = f"({parameters})" if parameters else "NIL"
    kind, inner = part.get_content_subtype(), part.get_payload()
    if isinstance(inner, list):
        parts = b"".join(structure(p) for p in inner if isinstance(p, Message))
        return b"(" + parts + f' "{kind}" {parameters} NIL NIL NIL)'.encode()
    size = len(str(inner))
    encoding = part.get("Content-Transfer-Encoding", "7BIT")
    lines = " 1" if part.get_content_maintype() == "text" else ""
    name = part.get_filename()
    kept = f'("attachment" ("filename" "{name}"))' if name else "NIL"
    return (
        f'("{part.get_content_maintype()}" "{kind}" {parameters} NIL NIL "{encoding}" {size}{lines} NIL {kept} NIL NIL)'
    ).encode()


def section(raw: bytes, item: str) -> bytes:
    """What a section of a message names."""
    asked = re.fullmatch(r"BODY\.PEEK\[([^\]]*)\](?:<(\d+)\.(\d+)>)?", item)
    assert asked, item
    end = raw.find(b"\r\n\r\n") + 4
    if asked[1] in ("", "HEADER", "TEXT"):
        given = {"": raw, "HEADER": raw[:end], "TEXT": raw[end:]}[asked[1]]
    else:
        part = opened(raw)
        for number in re.findall(r"\d+", asked[1]):
            part = part.get_payload()[int(number) - 1]  # type: ignore[index, assignment, union-attr]
        head = b"".join(f"{k}: {v}\r\n".encode() for k, v in part.items()) + b"\r\n"
        given = head if asked[1].endswith("MIME") else str(part.get_payload()).encode()
    return given[int(asked[2]) : int(asked[2]) + int(asked[3])] if asked[2] else given
