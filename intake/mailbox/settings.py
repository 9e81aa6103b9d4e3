"""A mailbox as the workspace file declares it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from intake.adapter import SourceSettings


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

    @field_validator("host", "username", "folder")
    @classmethod
    def _no_control_characters(cls, value: str) -> str:
        # They would end a command and begin another (CVE-2025-15366).
        if any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise ValueError("must not contain control characters")
        return value

    @field_validator("password")
    @classmethod
    def _no_line_end(cls, value: SecretStr) -> SecretStr:
        cls._no_control_characters(value.get_secret_value())
        return value

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.host, self.port or (993 if self.security == "tls" else 143)
