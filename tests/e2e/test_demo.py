"""The demonstration: one command shows each way in at work."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.test_three_channels import TOKEN, workspace
from tests.servers.mail import PymapServer
from tests.servers.service import Service

EXAMPLE = Path(__file__).parents[2] / "examples" / "workspace.yaml"


def test_the_demonstration_sends_one_enquiry_through_each_way_in() -> None:
    with PymapServer() as mailbox, Service(workspace(mailbox), TWILIO_AUTH_TOKEN=TOKEN) as service:
        told = service.run("demo")
        assert {lead["channel"] for lead in service.all("/leads")} == {"form", "call", "email"}
        assert told.count("matched: Everything to the team") == 3
        assert "no match: Who wrote gets an answer" in told


def test_the_example_workspace_routes_what_the_demonstration_sends() -> None:
    with Service(EXAMPLE.read_text()) as service:
        service.run("demo")
        leads = service.all("/leads")
        assert {lead["channel"] for lead in leads} == {"form", "call"}
        assert all(lead["owner"] for lead in leads)
        assert "✓ scheduler" in service.run("doctor")


def test_without_a_service_the_demonstration_says_so() -> None:
    service = Service(EXAMPLE.read_text())
    service.run("db", "upgrade")
    service.run("apply", str(service.folder / "workspace.yaml"))
    assert "is 'portaria up' running?" in service.run("demo", status=1)
