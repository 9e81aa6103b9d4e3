"""How a mailbox signs in without a password, as the workspace file declares it."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class OAuth(BaseModel):
    """How a mailbox signs in without a password (XOAUTH2), by a refresh token or as an application."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Literal["google", "microsoft", "other"] = Field(description="Whose mailbox it is")
    client_id: str = Field(min_length=1, max_length=300, description="The application's id there")
    client_secret: SecretStr | None = Field(None, description="The application's secret")
    refresh_token: SecretStr | None = Field(
        None, description="What the account's owner granted; without it the application signs in as itself"
    )
    tenant: str = Field(
        "common", pattern=r"^[A-Za-z0-9.-]{1,100}$", description="Directory at Microsoft: its id or domain"
    )
    token_url: str | None = Field(None, description="Where tokens are given; known for google and microsoft")
    scope: str | None = Field(None, max_length=500, description="What is asked for; known as well")
    expires: date | None = Field(
        None, description="When the client secret or the grant ends, where you know it: you are told before"
    )

    @field_validator("token_url")
    @classmethod
    def _encrypted(cls, value: str | None) -> str | None:
        here = ("http://127.0.0.1:", "http://localhost:")
        if value is not None and not value.startswith(("https://", *here)):
            raise ValueError("must begin with https://")
        return value

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.provider == "other" and self.token_url is None:
            raise ValueError("the provider 'other' needs a token_url")
        if self.refresh_token is None and (self.client_secret is None or self.provider == "google"):
            raise ValueError("needs a refresh_token")
        return self
