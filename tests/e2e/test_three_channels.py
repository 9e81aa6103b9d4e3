"""The whole way, with real processes: three channels in, routed leads with their next step out."""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes
from typing import Any
from zoneinfo import ZoneInfo

from rules.calendar import BusinessCalendar
from rules.duration import parse
from tests.servers.mail import PASSWORD, USER, Mailbox, PymapServer, SmtpRelay, SmtpSink
from tests.servers.port import wait_for
from tests.servers.service import Service
from tests.servers.twilio import missed_call, signed

TOKEN = "3f0d2c1b4a5968778695a4b3c2d1e0f9"
WORKSPACE = """
workspace: {{name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL}}
users:
  - {{email: ana@acme.test, name: Ana}}
  - {{email: bruno@acme.test, name: Bruno}}
teams: [{{key: inbound, members: [ana@acme.test, bruno@acme.test]}}]
calendars: [{{key: office, hours: {{mon-fri: "09:00-18:00"}}, holidays: BR-SP}}]
templates: [{{key: welcome, subject: "Hello {{{{ lead.name }}}}", text: "Thank you, {{{{ lead.name }}}}."}}]
forms: [{{key: contact, fields: [{{name: name, required: true}}, {{name: email, type: email, required: true}}, {{name: phone, type: phone}}, {{name: message, type: textarea}}]}}]
lines: [{{key: main, provider: twilio, auth_token: "${{TWILIO_AUTH_TOKEN}}", numbers: ["+551140000000"]}}]
mailboxes: [{{key: sales, host: 127.0.0.1, port: {port}, security: none, username: {user}, password: {password}, poll_seconds: 5}}]
rules:
  - name: Everything to the team
    on: lead.created
    do:
      - assign: {{team: inbound, by: round_robin}}
      - schedule: {{type: call, subject: "Call {{{{ lead.name }}}}", due: 15 business minutes, calendar: office}}
  - name: Who wrote gets an answer
    on: lead.created
    when: lead.email != null
    do:
      - send_email: {{template: welcome}}
"""
MAIL = """From: =?utf-8?q?Jo=C3=A3o?= <joao@client.test>
To: sales@acme.test
Subject: =?utf-8?q?Or=C3=A7amento?=
Message-ID: <one@client.test>
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Quanto custa?
""".replace("\n", "\r\n").encode()


def workspace(mailbox: Mailbox) -> str:
    return WORKSPACE.format(port=mailbox.port, user=USER, password=PASSWORD)


def call(service: Service, call_id: str, caller: str) -> None:
    """The three callbacks of a missed call."""
    url = f"{service.url}/in/calls/twilio/main"
    for params in missed_call(call_id, caller):
        headers, body = signed(url, params, TOKEN)
        answer = service.request("POST", "/in/calls/twilio/main", body, headers)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/xml")


def the_whole_way(mailbox: Mailbox, environment: dict[str, str]) -> None:
    """What must hold with any database, broker and IMAP server."""
    with (
        SmtpRelay(mailbox) as relay,
        SmtpSink() as sink,
        Service(workspace(mailbox), SMTP_URL=sink.url, TWILIO_AUTH_TOKEN=TOKEN, **environment) as service,
    ):
        fields = {"name": "Maria", "email": "maria@client.test", "phone": "(11) 98765-4321", "message": "Olá"}
        answer = service.form("contact", fields)
        assert answer.status == 202
        assert set(answer.json) == {"event_id", "status"}
        relay.send(MAIL, sender="joao@client.test")
        call(service, "CA1", "+5511912345678")

        def three() -> list[Any]:
            leads = service.all("/leads")
            return leads if len(leads) == 3 else []

        leads: Any = wait_for(three, 15, "there are not three leads: " + service.log()[-2000:])
        by_channel = {lead["channel"]: lead for lead in leads}
        assert set(by_channel) == {"form", "email", "call"}
        assert (by_channel["form"]["phone"], by_channel["form"]["message"]) == ("+5511987654321", "Olá")
        assert by_channel["email"]["name"] == "João"
        assert (by_channel["email"]["title"], by_channel["email"]["message"]) == (
            "Orçamento",
            "Quanto custa?",
        )
        assert (by_channel["call"]["phone"], by_channel["call"]["name"]) == ("+5511912345678", "")
        # owners in turn
        owners = [lead["owner"]["email"] for lead in sorted(leads, key=lambda lead: lead["id"])]
        assert owners == ["ana@acme.test", "bruno@acme.test", "ana@acme.test"]
        # one activity each, due in business time
        office = BusinessCalendar.of(
            {"key": "o", "hours": {"mon-fri": "09:00-18:00"}, "holidays": "BR-SP"},
            ZoneInfo("America/Sao_Paulo"),
        )
        for lead in leads:
            (activity,) = service.api(f"/leads/{lead['id']}/activities")["items"]
            assert (activity["type"], activity["state"]) == ("call", "planned")
            expected = office.after(datetime.fromisoformat(lead["created_at"]), parse("15 business minutes"))
            assert abs(datetime.fromisoformat(activity["due_at"]) - expected) < timedelta(seconds=5)
        # one call
        (one,) = service.api("/calls")["items"]
        assert (one["result"], one["ring_seconds"], one["lead_id"]) == (
            "missed",
            31,
            by_channel["call"]["id"],
        )
        # the answers at a real SMTP server, once each
        wait_for(lambda: len(sink.messages) >= 2, 10, "the answers were not sent")
        assert sorted(to for to, _ in sink.messages) == ["joao@client.test", "maria@client.test"]
        texts = {to: message_from_bytes(raw) for to, raw in sink.messages}
        assert texts["maria@client.test"]["Subject"] == "Hello Maria"
        assert texts["maria@client.test"].get_payload(decode=True) == b"Thank you, Maria.\r\n"
        # the traces and timelines
        for channel, lead in by_channel.items():
            trace = service.api(f"/leads/{lead['id']}/trace")["items"]
            looked = {rule["rule"]: rule["matched"] for entry in trace for rule in entry["rules"]}
            assert looked == {"Everything to the team": True, "Who wrote gets an answer": channel != "call"}
            kinds = {entry["kind"] for entry in service.api(f"/leads/{lead['id']}/timeline")["items"]}
            assert {"submission", "assigned", "activity_planned"} <= kinds
        assert all(event["state"] == "processed" for event in service.all("/events"))
        assert service.stop() == 0


def test_three_channels_become_three_routed_leads() -> None:
    with PymapServer() as mailbox:
        the_whole_way(mailbox, {})
