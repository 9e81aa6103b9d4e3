"""The real service as a child process, with its own data directory and port, and a client for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from tests.servers.port import free_port, wait_for

PORTARIA = str(Path(sys.executable).with_name("portaria"))


class Answer:
    """An HTTP answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Service:
    """`portaria up` on a workspace; everything is asked over its public interface."""

    def __init__(self, workspace: str, **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="portaria-test-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "CI")
        self.environment = {k: os.environ[k] for k in kept if k in os.environ} | {
            "PORT": str(self.port),
            "PORTARIA_DATA_DIR": str(self.folder / "var"),
            "PORTARIA_PUBLIC_URL": self.url,
            **environment,
        }
        (self.folder / "workspace.yaml").write_text(workspace)
        self.token = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it is ready."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [PORTARIA, "up", "--apply", str(self.folder / "workspace.yaml")],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_ready()
        if not self.token:
            self.token = self.run("token", "create", "tests", "--role", "admin").strip().splitlines()[-1]

    def wait_ready(self, seconds: float = 60) -> None:
        """Until /readyz says so."""

        def ready() -> bool:
            assert self.process is None or self.process.poll() is None, self.log()[-3000:]
            try:
                return self.get("/readyz").status == 200
            except OSError:
                return False

        wait_for(ready, seconds, f"not ready: {self.log()[-3000:]}", every=0.05)

    def log(self) -> str:
        """What it has logged."""
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def run(self, *arguments: str, status: int = 0) -> str:
        """A command of its command line; fails the test when it ends otherwise than expected."""
        done = subprocess.run(
            [PORTARIA, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + (done.stderr if status else "")

    def children(self) -> dict[str, int]:
        """The process ids of its processes, by name."""
        assert self.process is not None
        found = {}
        for line in subprocess.run(
            ["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
        ).stdout.splitlines():
            pid, ppid, args = line.split(None, 2)
            if ppid == str(self.process.pid):
                found["broker" if "valkey-server" in args else args.split()[-1]] = int(pid)
        return found

    def stop(self) -> int:
        """As Ctrl-C would, and its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(15)

    def kill(self) -> None:
        """All of it, at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(12)
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; redirects are not followed."""
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers=dict(headers or {})
        )
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=30) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def get(self, path: str) -> Answer:
        """A GET without anything."""
        return self.request("GET", path)

    def form(self, key: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """A script's post to a form."""
        told = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return self.request(
            "POST", f"/in/forms/{key}", urllib.parse.urlencode(fields).encode(), told | headers
        )

    def api(self, path: str, method: str = "GET", data: Any = None, status: int = 200) -> Any:
        """The API's answer as JSON; fails the test when the status is another."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = None if data is None else json.dumps(data).encode()
        answer = self.request(method, "/api/v1" + path, body, headers)
        assert answer.status == status, (answer.status, answer.body[:500])
        return answer.json

    def all(self, path: str) -> list[Any]:
        """All pages of a list."""
        return list(self._pages(path))

    def _pages(self, path: str) -> Iterator[Any]:
        cursor = ""
        while True:
            glue = "&" if "?" in path else "?"
            page = self.api(
                f"{path}{glue}limit=200" + (f"&cursor={urllib.parse.quote(cursor)}" if cursor else "")
            )
            yield from page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return
