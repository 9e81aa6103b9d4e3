"""`portaria up` as an operator meets it: it starts, it stops, it is alone."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from boot.broker import EmbeddedBroker
from core.settings import settings
from tests.servers.port import listens, wait_for
from tests.servers.service import PORTARIA, Service

FORM = """
workspace: {name: Acme, country: BR}
users: [{email: ana@acme.test}]
forms: [{key: contact}]
rules: [{name: all, on: lead.created, do: [assign: {user: ana@acme.test}]}]
"""


def group(pid: int) -> list[str]:
    """The processes of a group."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pgid,args"], capture_output=True, text=True, check=True
    ).stdout
    return [
        line for line in listed.splitlines() if line.split(None, 1)[0] == str(pid) and "<defunct>" not in line
    ]


def greeted(service: Service) -> None:
    """Waits until it has said where it is."""
    ready = f"Portaria is ready: {service.url}"
    wait_for(lambda: ready in service.log(), 10, f"no greeting: {service.log()[-2000:]}")


def test_ctrl_c_stops_everything_and_leaves_nothing() -> None:
    with Service(FORM) as service:
        assert service.process is not None
        assert len(group(service.process.pid)) >= 6
        start = time.monotonic()
        os.killpg(service.process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        assert service.process.wait(15) == 0
        assert time.monotonic() - start < 4.5  # less than what a process that hangs is given
        assert group(service.process.pid) == []
        assert not listens(service.port)
        assert "Portaria has stopped." in service.log()
        assert "Traceback" not in service.log()
        # The broker hears nothing of it and is ended last.
        assert "warning" not in service.log().lower()


def test_it_says_where_it_is_and_how_to_sign_in_and_what_was_kept_is_there_again() -> None:
    service = Service(FORM, PORTARIA_HOST="127.0.0.2", PORTARIA_PUBLIC_URL="")
    service.url = f"http://127.0.0.2:{service.port}"
    with service:
        greeted(service)
        link = service.log().split("hours): ", 1)[1].split()[0]
        page = service.get(link.removeprefix(service.url))
        assert page.status == 200
        assert b"password" in page.body
        assert service.form("contact", {"email": "a@client.test"}).status == 202
        wait_for(lambda: service.all("/leads"), 10, "no lead")
        service.stop()
        service.start()
        assert [lead["email"] for lead in service.all("/leads")] == ["a@client.test"]


def test_forms_are_taken_while_the_broker_is_down_and_processed_when_it_is_back() -> None:
    broker = EmbeddedBroker(settings())
    url = broker.start()
    with Service(FORM, BROKER_URL=url, PORTARIA_SECRET_KEY="a key for these tests") as service:
        broker.stop()
        start = time.monotonic()
        statuses = [service.form("contact", {"email": f"a{n}@client.test"}).status for n in range(5)]
        assert statuses == [202] * 5
        assert time.monotonic() - start < 3
        assert service.get("/healthz").status == 200
        broker.start()
        wait_for(lambda: len(service.all("/leads")) == 5, 20, f"not processed: {service.log()[-2000:]}")
    broker.stop()


def test_another_one_is_refused_in_one_line_and_an_applied_change_is_in_force_at_once() -> None:
    with Service(FORM) as service:
        greeted(service)
        data = service.environment["PORTARIA_DATA_DIR"]
        for folder, said in (
            (data, f"another 'portaria up' runs on {data}"),
            (
                f"{data}-other",
                f"port {service.port} is taken by another program: end it, or set PORT to a free one",
            ),
        ):
            done = subprocess.run(
                [PORTARIA, "up"],
                env={**service.environment, "PORTARIA_DATA_DIR": folder},
                cwd=service.folder,
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert done.returncode == 1
            assert done.stderr.strip().splitlines() == [f"portaria: {said}"]
        assert service.get("/readyz").status == 200
        file = service.folder / "workspace.yaml"
        file.write_text(
            FORM.replace("{key: contact}", "{key: contact, allowed_origins: [https://a.test]}, {key: new}")
        )
        service.run("apply", str(file))
        headers = {"Origin": "https://b.test"}
        assert service.form("contact", {"email": "a@client.test"}, **headers).status == 403
        assert service.form("new", {"email": "a@client.test"}).status == 202
