"""`portaria mailboxes try`: what a mail would become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from boot.commands import mailboxes
from core import db
from core.errors import NotFound
from tests.factories import configure

MAILBOX = """
workspace: {name: Acme, country: DE, timezone: Europe/Berlin, locale: de_DE, currency: EUR}
mailboxes:
  - key: sales
    host: imap.acme.test
    username: sales@acme.test
    password: x
    notifications:
      - {name: Portal, from: portal.test, labels: {Name: name, Text: message}, patterns: {phone: 'Tel: *(.+)'}}
"""
MAIL = b"From: no-reply@portal.test\r\nSubject: New\r\n\r\nName: Ute Roth\r\nTel: 0170 1234567\r\nText: Hallo"


def test_a_mapping_is_tried_without_writing_anything(
    database: db.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailboxes, "begin", lambda: database)
    configure(MAILBOX)
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL)
    said = CliRunner().invoke(mailboxes.mailboxes, ["try", "sales", str(file), "--json"])
    found = json.loads(said.stdout)
    assert found["verdict"] == "enquiry"
    assert (found["name"], found["phones"], found["message"]) == ("Ute Roth", ["0170 1234567"], "Hallo")
    assert found["notification"] == "Portal"
    assert "verdict: enquiry" in CliRunner().invoke(mailboxes.mailboxes, ["try", "sales", str(file)]).stdout
    unknown = CliRunner().invoke(mailboxes.mailboxes, ["try", "nobody", str(file)])
    assert isinstance(unknown.exception, NotFound)
