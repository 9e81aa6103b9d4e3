"""An SMTP server that makes trouble at a given place: as mail servers and networks do."""

from __future__ import annotations

import base64
import socket
import threading
import time
from typing import IO, Self

from tests.servers.port import free_port


class TroubledSmtp:
    """Speaks just enough SMTP. `answers` replaces what it says to a command, or to the end of the content (`.`).

    An answer of "cut" closes the connection; one that begins with "wait 0.5 " comes late.
    """

    def __init__(self, *, accepts_token: str = "", **answers: str) -> None:
        self.accepts_token = accepts_token  # offers XOAUTH2, and nothing goes without
        self.signed_in: list[bytes] = []  # what it was told there
        self.answers = {name.replace("dot", "."): said for name, said in answers.items()}
        self.connections = 0
        self.commands: list[str] = []
        self.contents: list[bytes] = []
        self.port = free_port()
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """As SMTP_URL says it."""
        return f"smtp://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as wire:

            def say(words: str) -> bool:
                if words.startswith("wait "):
                    _, seconds, words = words.split(" ", 2)
                    time.sleep(float(seconds))
                if words == "cut":
                    return False
                wire.write(words.encode() + b"\r\n")
                wire.flush()
                return True

            if not say(self.answers.get("hello", "220 here")):
                return
            while line := wire.readline():
                command = line.decode("utf-8", "replace").strip()
                self.commands.append(command)
                word = command.split(" ")[0].split(":")[0].upper()
                usual = {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 fine")
                if self.accepts_token and word == "EHLO":
                    usual = "250-fine\r\n250 AUTH LOGIN PLAIN XOAUTH2"
                elif self.accepts_token and word == "AUTH":
                    usual = self._sign_in(command, wire)
                if not say(self.answers.get(word.lower(), usual)):
                    return
                if word == "QUIT":
                    return
                if word == "DATA" and self.answers.get("data", "354").startswith("354"):
                    content = b""
                    while (part := wire.readline()) not in (b".\r\n", b""):
                        content += part
                    self.contents.append(content)
                    if not say(self.answers.get(".", "250 kept")):
                        return

    def _sign_in(self, command: str, wire: IO[bytes]) -> str:
        """As Google and Microsoft do: a refusal is a challenge first."""
        mechanism, _, told = command.removeprefix("AUTH ").partition(" ")
        self.signed_in.append(base64.b64decode(told))
        if mechanism == "XOAUTH2" and f"auth=Bearer {self.accepts_token}\1\1".encode() in self.signed_in[-1]:
            return "235 2.7.0 accepted"
        wire.write(b"334 " + base64.b64encode(b'{"status":"401","schemes":"bearer"}') + b"\r\n")
        wire.flush()
        assert wire.readline() == b"\r\n"
        return "535 5.7.8 Username and Password not accepted"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
