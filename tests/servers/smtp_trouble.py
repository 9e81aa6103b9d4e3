"""An SMTP server that makes trouble at a given place: as mail servers and networks do."""

from __future__ import annotations

import socket
import threading
import time
from typing import Self

from tests.servers.port import free_port


class TroubledSmtp:
    """Speaks just enough SMTP. `answers` replaces what it says to a command, or to the end of the content (`.`).

    An answer of "cut" closes the connection; one that begins with "wait 0.5 " comes late.
    """

    def __init__(self, **answers: str) -> None:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
