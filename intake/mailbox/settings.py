"""A mailbox as the workspace file declares it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from limits import parse_many
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from crm.contact_points import email_address
from intake.adapter import SourceSettings
from intake.mailbox.notifications import Notification, one_or_more
from intake.mailbox.oauth import OAuth

_MOVE = "move:"


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
    oauth: bool = Field(
        False, description="Sign in by the mailbox's `oauth` (XOAUTH2), as its `username` if left out here"
    )
    from_: str | None = Field(
        None, alias="from", description="Address that mail is from; the mailbox's username if left out"
    )
    rate: str | None = Field(
        None, description="At most so much, such as 100 per hour, by all workers together; what is more waits"
    )

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
    """Where the mail is, how to sign in, what is read and what becomes of it there."""

    host: str = Field(min_length=1, max_length=255, description="IMAP server")
    port: int | None = Field(None, ge=1, le=65535, description="Default: 993 with tls, 143 without")
    security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="none is for servers on this machine"
    )
    ca_file: str | None = Field(
        None, max_length=1000, description="Certificates to trust instead of the system's (PEM)"
    )
    username: str = Field(min_length=1, max_length=255, description="Who signs in")
    password: SecretStr | None = Field(None, description="Password; or `oauth` instead")
    oauth: OAuth | None = Field(None, description="Signing in at Google or Microsoft 365; see below")
    folder: str = Field("INBOX", min_length=1, max_length=100, description="Folder that is watched")
    folders: list[str] = Field(
        default_factory=list, max_length=20, description="Several of them, instead of or beside `folder`"
    )
    poll_seconds: int = Field(
        60, ge=1, le=86400, description="How often to look where the server offers no IDLE"
    )
    since: Literal["all"] | date | None = Field(
        None,
        description="Of what is there already: `all`, or what came since a day; "
        "default: what came since an hour before the mailbox was declared",
    )
    after: str | None = Field(
        None,
        max_length=100,
        description="What becomes of a message once it is journalled: `seen`, `delete` or `move:<folder>`; "
        "default: nothing",
    )

    smtp: SmtpSettings | None = Field(None, description="How its mail goes out; by SMTP_URL if left out")
    plus_addresses: bool = Field(
        False,
        description="Whether mail to sales+anything@ comes to it; then answers find their thread by that",
    )
    sent_folder: str | None = Field(
        None, min_length=1, max_length=100, description="Folder into which a copy of what is sent is laid"
    )

    authserv_id: Annotated[tuple[str, ...], BeforeValidator(one_or_more)] = Field(
        (),
        max_length=10,
        description="Hosts whose Authentication-Results are believed (RFC 8601), `-` for one without a name "
        "(Microsoft 365); they must strike out what comes from outside in their name",
    )
    colleagues: Annotated[tuple[str, ...], BeforeValidator(one_or_more)] = Field(
        (),
        max_length=200,
        description="Addresses and domains of our own beside the users' and the mailbox's: what they forward "
        "is the enquiry of whoever wrote it",
    )
    notifications: tuple[Notification, ...] = Field(
        (), max_length=100, description="Mails of portals and contact forms, and how they are read"
    )

    @field_validator("host", "username", "folder", "after", "ca_file", "sent_folder")
    @classmethod
    def _no_control_characters(cls, value: str | None) -> str | None:
        return value if value is None else without_control_characters(value)

    @field_validator("folders")
    @classmethod
    def _folders(cls, value: list[str]) -> list[str]:
        for folder in value:
            if not 1 <= len(without_control_characters(folder)) <= 100:
                raise ValueError("a folder's name has 1 to 100 characters")
        return value

    @field_validator("password")
    @classmethod
    def _no_line_end(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            without_control_characters(value.get_secret_value())
        return value

    @field_validator("after")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value in (None, "seen", "delete") or (value or "").removeprefix(_MOVE) not in ("", value):
            return value
        raise ValueError("must be seen, delete or move:<folder>")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.password is None) == (self.oauth is None):
            raise ValueError("needs either a password or oauth")
        if self.smtp is not None and self.smtp.oauth:
            if self.oauth is None:
                raise ValueError("smtp.oauth needs the mailbox's own oauth")
            if self.smtp.password.get_secret_value():
                raise ValueError("smtp needs either a password or oauth")
        if self.target in self.watched:
            raise ValueError(f"'{self.target}' is watched itself: messages cannot be moved there")
        return self

    @property
    def sender(self) -> str | None:
        """The mailbox's own e-mail address, as far as it is known."""
        return (self.smtp.from_ if self.smtp else None) or email_address(self.username)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.host, self.port or (993 if self.security == "tls" else 143)

    @property
    def watched(self) -> tuple[str, ...]:
        """The folders that are watched, each once."""
        first = [self.folder] if "folder" in self.model_fields_set or not self.folders else []
        return tuple(dict.fromkeys([*first, *self.folders]))

    @property
    def target(self) -> str | None:
        """The folder to which messages are moved."""
        return self.after.removeprefix(_MOVE) if self.after and self.after.startswith(_MOVE) else None
