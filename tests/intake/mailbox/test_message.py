"""What a mail says: the shapes that real clients make, and the ones that somebody makes to hurt."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import clock
from core.errors import PortariaError, Quarantined, Unreadable
from crm.submission import Submission
from intake.delivery import Delivery
from intake.mailbox.adapter import Mailbox
from intake.mailbox.message import read
from intake.mailbox.parts import named
from intake.mailbox.settings import MailboxSettings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "email"
CASES = sorted(path.stem for path in FIXTURES.glob("*.eml"))
SETTINGS = MailboxSettings.model_validate(
    {"key": "sales", "host": "imap.acme.test", "username": "sales", "password": "x"}
)
STATES: dict[type[PortariaError], str] = {Unreadable: "failed", Quarantined: "quarantined"}


def parse(raw: bytes) -> Submission:
    found = Mailbox().parse(
        Delivery(body=raw, content_type="message/rfc822", received_at=clock.now()), SETTINGS
    )
    if isinstance(found, Submission):
        return found
    raise Quarantined(found.reason, found.submission)


def test_what_surrounds_the_text_is_kept() -> None:
    mail = read((FIXTURES / "apple_mail_de.eml").read_bytes())
    assert mail.message_id == "<6F0F0A7C-1111-4222-8333-444455556666@kunde.test>"
    assert mail.in_reply_to == "<20261120.1@acme.test>"
    assert mail.references == ("<20261101.9@acme.test>", "<20261120.1@acme.test>")
    assert mail.date is not None
    assert mail.date.isoformat() == "2026-11-23T15:00:00+00:00"
    assert parse((FIXTURES / "headers_folded.eml").read_bytes()).extra["to"] == [
        "vendas@acme.test",
        "outra@acme.test",
    ]


@pytest.mark.parametrize(
    ("case", "date"),
    [
        ("no_date", None),
        ("date_that_is_none", None),
        ("date_after_time_ends", None),
        ("date_1970", "1970-01-01T00:00:00+00:00"),
        ("date_2100", "2101-01-01T11:59:59+00:00"),
    ],
)
def test_the_senders_date_is_a_label_and_the_enquirys_time_is_ours(case: str, date: str | None) -> None:
    before = clock.now()
    found = parse((FIXTURES / f"{case}.eml").read_bytes())
    assert found.extra.get("date") == date
    assert before <= found.occurred_at <= clock.now()


def test_the_same_bytes_are_the_same_event_and_other_bytes_another() -> None:
    def key(raw: bytes) -> str:
        delivery = Delivery(body=raw, content_type="message/rfc822", received_at=clock.now())
        return Mailbox().dedupe_key(delivery, SETTINGS)

    head = b"From: ana@client.test\r\n"
    one = head + b"Message-ID: <1@x>\r\n\r\none"
    assert key(one) == key(one)
    assert key(one) != key(head + b"Message-ID: <1@x>\r\n\r\ntwo")
    assert key(head + b"\r\none") != key(head + b"\r\ntwo")
    assert len(key(one)) <= 200


@pytest.mark.parametrize(
    ("disposition", "content_type", "name"),
    [
        ({"filename": "plans.pdf"}, {"name": "other.pdf"}, "plans.pdf"),
        ({}, {"name": "plans.pdf"}, "plans.pdf"),
        ({"filename*": "utf-8''planta%20%C3%A9.pdf"}, {}, "planta é.pdf"),
        ({"filename*0*": "utf-8''pl%C3%A9", "filename*1": "nos.pdf"}, {}, "plénos.pdf"),
        ({"filename": "=?utf-8?q?Pl=C3=A9.pdf?="}, {}, "Plé.pdf"),
        ({"filename": "../../etc/passwd"}, {}, "passwd"),
        ({"filename": 'a"\r\nX: y'}, {}, 'a" X: y'),
        ({"filename*": "nonsense"}, {}, "nonsense"),
        ({"": "", "x*y*z": "%"}, {}, ""),
    ],
)
def test_a_part_s_name_is_read_out_of_what_the_server_says_of_its_headers(
    disposition: dict[str, str], content_type: dict[str, str], name: str
) -> None:
    assert named(disposition, content_type) == name
