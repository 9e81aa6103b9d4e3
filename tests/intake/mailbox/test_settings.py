"""What a mailbox may be declared as."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from intake.mailbox.settings import MailboxSettings

GOOD = {"key": "sales", "host": "imap.acme.test", "username": "sales", "password": "secret"}


def settings(**changes: Any) -> MailboxSettings:
    return MailboxSettings.model_validate(GOOD | changes)


@pytest.mark.parametrize("name", ["host", "username", "folder", "password"])
@pytest.mark.parametrize("end", ["\r\nA1 DELETE INBOX", "\n", "\0", "\x7f"])
def test_nothing_can_end_a_command_and_begin_another(name: str, end: str) -> None:
    with pytest.raises(ValidationError, match="must not contain control characters"):
        settings(**{name: "x" + end})


@pytest.mark.parametrize(
    ("changes", "port"),
    [({}, 993), ({"security": "starttls"}, 143), ({"security": "none"}, 143), ({"port": 1143}, 1143)],
)
def test_the_port_follows_from_the_security(changes: dict[str, Any], port: int) -> None:
    assert settings(**changes).address == ("imap.acme.test", port)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(settings())
