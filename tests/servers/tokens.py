"""A provider's token endpoint (RFC 6749 section 3.2) on loopback."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl


class TokenEndpoint:
    """Gives tokens, or says no."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.status, self.answer = 200, {"access_token": "token", "expires_in": 3600}  # type: tuple[int, Any]
        self.rotates = False  # whether a refresh token is good for once
        self._spent: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                outer.asked.append(dict(parse_qsl(raw.decode())))
                status, answer = outer.said(outer.asked[-1].get("refresh_token", ""))
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def said(self, refresh: str) -> tuple[int, Any]:
        """What it answers."""
        if self.rotates and refresh in self._spent:
            return 400, {"error": "invalid_grant"}
        self._spent.add(refresh)
        return self.status, self.answer

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
