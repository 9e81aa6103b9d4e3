"""A mailbox as the workspace file declares it."""

from __future__ import annotations

from typing import Literal

from limits import parse_many
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from crm.contact_points import email_address
from intake.adapter import SourceSettings


class SmtpSettings(BaseModel):
    """How mail goes out from a mailbox."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, max_length=255, description="SMTP server")
    port: int | None = Field(None, ge=1, le=65535, description="Default: 465 with tls, 587 without")
    security: Literal["tls", "starttls", "none"] = Field(
        "starttls", description="none is for servers on this machine"
    )
    username: str | None = Field(None, max_length=255, description="Who signs in; nobody if left out")
    password: SecretStr = Field(SecretStr(""), description="Password")
    from_: str | None = Field(
        None, alias="from", description="Address that mail is from; the mailbox's username if left out"
    )
    rate: str | None = Field(None, description="At most so much, such as 100 per hour; what is more waits")

    @field_validator("host", "username")
    @classmethod
    def _clean(cls, value: str | None) -> str | None:
        return value and without_control_characters(value)

    @field_validator("password")
    @classmethod
    def _clean_password(cls, value: SecretStr) -> SecretStr:
        without_control_characters(value.get_secret_value())
        return value

    @field_validator("from_")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and (value := email_address(value)) is None:
            raise ValueError("is no e-mail address")
        return value

    @field_validator("rate")
    @classmethod
    def _rate(cls, value: str | None) -> str | None:
        if value is not None:
            parse_many(value)
        return value


def without_control_characters(value: str) -> str:
    """The value. Raises ValueError where a character in it would end a command and begin another."""
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError("must not contain control characters")
    return value


class MailboxSettings(SourceSettings):
    """Where the mail is, and how often to look where the server cannot tell."""

    host: str = Field(min_length=1, max_length=255, description="IMAP server")
    port: int | None = Field(None, ge=1, le=65535, description="Default: 993 with tls, 143 without")
    security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="none is for servers on this machine"
    )
    username: str = Field(min_length=1, max_length=255, description="Who signs in")
    password: SecretStr = Field(description="Password")
    folder: str = Field("INBOX", min_length=1, max_length=100, description="Folder that is watched")
    poll_seconds: int = Field(
        60, ge=1, le=86400, description="How often to look where the server offers no IDLE"
    )
    smtp: SmtpSettings | None = Field(None, description="How its mail goes out; by SMTP_URL if left out")
    plus_addresses: bool = Field(
        False,
        description="Whether mail to sales+anything@ comes to it; then answers find their thread by that",
    )
    sent_folder: str | None = Field(
        None, min_length=1, max_length=100, description="Folder into which a copy of what is sent is laid"
    )

    @field_validator("host", "username", "folder", "sent_folder")
    @classmethod
    def _no_control_characters(cls, value: str | None) -> str | None:
        # They would end a command and begin another (CVE-2025-15366).
        return value and without_control_characters(value)

    @field_validator("password")
    @classmethod
    def _no_line_end(cls, value: SecretStr) -> SecretStr:
        without_control_characters(value.get_secret_value())
        return value

    @property
    def sender(self) -> str | None:
        """The mailbox's own e-mail address, as far as it is known."""
        return (self.smtp.from_ if self.smtp else None) or email_address(self.username)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.host, self.port or (993 if self.security == "tls" else 143)
