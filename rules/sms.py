"""Text messages: how the provider wants them, as the workspace file says it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from core.errors import Invalid
from rules import template
from rules.vocabulary import Fields

#: What the body may name.
VARIABLES: dict[str, Fields] = {"sms": {"to": "text", "text": "text", "id": "text"}}


class SmsSettings(BaseModel):
    """Any provider that takes a JSON document over HTTP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="Where a message is posted to")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, max_length=20, description="Headers, such as Authorization"
    )
    body: dict[str, Any] = Field(description="What is posted; may name sms.to, sms.text and sms.id")

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
            raise ValueError(f"'{value}' is no http or https address")
        return value

    @field_validator("headers")
    @classmethod
    def _one_line(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, said in value.items():
            if not name.replace("-", "").isalnum() or not said.get_secret_value().isprintable():
                raise ValueError(f"'{name}' is no header, or its value is not on one line")
        return value

    @field_validator("body")
    @classmethod
    def _fits(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            template.check_all(value, VARIABLES)
        except Invalid as error:
            raise ValueError(str(error)) from None
        return value
